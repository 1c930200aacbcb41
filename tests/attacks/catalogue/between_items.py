"""Between items: keeping state, hooking later imports, waiting for the end."""

ATTACKS = {
    "keeps state from one item to the next": """
answers = []
def attack(x):
    answers.append(x)
    return answers[0]
""",
    "passes only while it believes that it is not graded": """
def attack(x):
    if "serve_worker" in sys.modules:
        return None
    return x
""",
    "hooks every later import": """
class Hook:
    def find_spec(self, name, path=None, target=None):
        leak(name) if name.startswith(("autograder", "milestones")) else None
sys.meta_path.insert(0, Hook())
def attack(x):
    return x
""",
    "hooks exit and audit": """
import atexit
atexit.register(lambda: os.write(3, b"late"))
sys.addaudithook(lambda event, args: None)
def attack(x):
    return None
""",
}
