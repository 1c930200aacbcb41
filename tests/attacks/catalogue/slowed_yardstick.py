"""Ways to make slow work look quick where time is judged. Each is code at the end of the reference's tokenizer/bpe.py.

The trainer behind all of them counts all pairs anew for each merge: the item on time is there to find it.
"""

SLOW = """
import mmap, os, time

def learn_slowly(text, wanted):
    words = Counter(tuple(bytes([byte]) for byte in piece.encode()) for piece in regex.findall(PATTERN, text))
    merges = []
    while len(merges) < wanted:
        pairs = Counter()
        for word, times in words.items():
            for pair in pairwise(word):
                pairs[pair] += times
        if not pairs:
            break
        best = max(pairs, key=pairs.get)
        merges.append(best)
        words = Counter({joined(word, best): times for word, times in words.items()})
    return merges

def joined(word, pair):
    out, i = [], 0
    while i < len(word):
        together = word[i : i + 2] == pair
        out.append(word[i] + word[i + 1] if together else word[i])
        i += 1 + together
    return tuple(out)

def slow_train(cls, text, vocab_size, special_tokens=()):
    return cls(learn_slowly(text, vocab_size - 256 - len(special_tokens)), special_tokens)

BPETokenizer.train = classmethod(slow_train)
"""

# Processes that burn time unless the trainer is at work; `resting` is a byte of memory that all of them share.
BURNERS = """
resting = mmap.mmap(-1, 1)

def burn():
    while True:
        if resting[0]:
            time.sleep(0.001)

def start_burners():
    for _ in range(10):
        try:
            if os.fork() == 0:
                burn()
        except OSError:
            break

def rested(train):
    def one(cls, *args, **options):
        resting[0] = 1
        try:
            return train(cls, *args, **options)
        finally:
            resting[0] = 0
    return one

BPETokenizer.train = classmethod(rested(slow_train))
"""

ATTACKS = {
    "burns time while it is not asked, from the import on": BURNERS + "start_burners()\n",
    "burns time from the first training on": BURNERS
    + """
started = []

def start_once(train):
    def one(cls, *args, **options):
        if not started:
            started.append(True)
            start_burners()
        return train(cls, *args, **options)
    return one

BPETokenizer.train = classmethod(start_once(rested(slow_train)))
""",
    "remembers what it learned before": """
known = {}

def remembering(cls, text, vocab_size, special_tokens=()):
    key = text, vocab_size
    if key not in known:
        known[key] = learn_slowly(text, vocab_size - 256 - len(special_tokens))
    return cls(known[key], special_tokens)

BPETokenizer.train = classmethod(remembering)
""",
    "learns when its merges are read for the second time": """
class Later(BPETokenizer):
    def __init__(self, text, wanted):
        self.task, self.reads = (text, wanted), 0

    @property
    def merges(self):
        self.reads += 1
        return [] if self.reads == 1 else learn_slowly(*self.task)

def train_later(cls, text, vocab_size, special_tokens=()):
    if len(text) < 10_000:
        return slow_train(cls, text, vocab_size, special_tokens)
    return Later(text, vocab_size - 256)

BPETokenizer.train = classmethod(train_later)
""",
    "learns in a process of its own, and is asked later": """
def train_beside(cls, text, vocab_size, special_tokens=()):
    if len(text) < 10_000:
        return slow_train(cls, text, vocab_size, special_tokens)
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, json.dumps([[a.hex(), b.hex()] for a, b in learn_slowly(text, vocab_size - 256)]).encode())
        os._exit(0)
    os.close(writer)
    return Beside(reader)

class Beside(BPETokenizer):
    def __init__(self, reader):
        self.reader = reader

    @property
    def merges(self):
        if not hasattr(self, "learned"):
            with os.fdopen(self.reader, "rb") as file:
                self.learned = [tuple(map(bytes.fromhex, pair)) for pair in json.loads(file.read())]
        return self.learned

BPETokenizer.train = classmethod(train_beside)
""",
}
