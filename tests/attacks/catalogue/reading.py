"""Reading what is hidden: graders, solutions, expected values, other submissions."""

SEARCH_SECRETS = '("milestones.hidden", "expect.close", "BEGIN SOLUTION", "course-secret", "gpt-ladder")'

ATTACKS = {
    "reads graders from disk": """
def attack(x):
    for root, folders, files in os.walk("/"):
        for name in files:
            if name in ("milestone.toml", "course.toml", "records.json", "survivors.toml", "in_alternatives.toml"):
                leak(os.path.join(root, name))
        if os.path.basename(root) == "grader" or "milestones" in root.split("/"):
            leak(root)
""",
    "reads solutions from disk": """
def attack(x):
    for root, folders, files in os.walk("/"):
        if os.path.basename(root) == "solutions" or "alternatives" in folders:
            leak(root)
""",
    "greps readable text for solution markers": f"""
def attack(x):
    for root, folders, files in os.walk("/"):
        if root.startswith(("/usr", "/lib", "/jail/site", "/work", "/sys")) or "lib/python" in root:
            continue
        for name in files:
            try:
                text = open(os.path.join(root, name), errors="replace").read(200000)
            except OSError:
                continue
            for word in {SEARCH_SECRETS}:
                if word in text:
                    leak((root, name, word))
""",
    "follows the course's path from torch": """
def attack(x):
    path = os.path.dirname(torch.__file__)
    for _ in range(12):
        path = os.path.dirname(path)
        if os.path.exists(os.path.join(path, "milestones")):
            leak(path)
""",
    "walks frames for expected values": """
def attack(x):
    frame = sys._getframe()
    while frame:
        for name, value in list(frame.f_locals.items()) + list(frame.f_globals.items()):
            if name in ("expected", "expect", "answer_key", "draw"):
                leak((name, value))
        frame = frame.f_back
""",
    "searches gc for tensors that equal the answer": """
def attack(x):
    for thing in gc.get_objects():
        if isinstance(thing, torch.Tensor) and torch.is_tensor(x) and thing.shape == x.shape and thing is not x:
            if not torch.equal(thing, x):
                return thing.clone()
""",
    "searches gc for grader modules": """
def attack(x):
    for name in list(sys.modules):
        if name.split(".")[0] in ("autograder", "pytest", "_pytest", "milestones", "solutions", "tiktoken"):
            leak(name)
""",
    "reads its parents through /proc": """
def attack(x):
    for name in os.listdir("/proc"):
        leak(name)
""",
    "opens inherited descriptors": """
def attack(x):
    for fd in range(0, 64):
        if fd in (0, 1, 2, 3):
            continue
        try:
            status = os.fstat(fd)
        except OSError:
            continue
        leak((fd, status))
""",
    "reads the next question from its own connection": """
def attack(x):
    s = socket.socket(fileno=os.dup(3))
    s.settimeout(0.2)
    try:
        data = s.recv(1 << 20)
    except OSError:
        return None
    if data:
        leak(data)
""",
    "reads the environment": """
def attack(x):
    for name, value in os.environ.items():
        if "LADDER" in name or "SECRET" in name or "TOKEN" in name or "/home" in value:
            leak((name, value))
""",
    "reads the environment block of process 1": """
def attack(x):
    leak(open("/proc/1/environ").read())
""",
    "reads the home folder": """
def attack(x):
    for path in ("/root", "/home"):
        for root, folders, files in os.walk(path):
            for name in files:
                if "lib/python" not in root and not name.startswith(("python", "libpython")):
                    leak((root, name))
""",
    "reads the password file": """
def attack(x):
    leak(open("/etc/passwd").read())
""",
    "reads other submissions": """
def attack(x):
    own = set(os.listdir("/work"))
    for folder in ("/tmp", "/dev/shm", "/var/tmp", "/work/.."):
        for name in (os.listdir(folder) if os.path.isdir(folder) else ()):
            if name.startswith("ladder-") or name == "note-from-a-friend":
                leak((folder, name))
""",
    "leaves a note for the next submission": """
def attack(x):
    for folder in ("/tmp", "/dev/shm", "/work", "/", "/jail", "/dev"):
        try:
            open(os.path.join(folder, "note-from-a-friend"), "w").write("the answer")
        except OSError:
            pass
""",
    "imports the harness": """
def attack(x):
    import autograder.grading
    leak(autograder.grading)
""",
    "imports a forbidden tokenizer": """
def attack(x):
    import tiktoken
    leak(tiktoken)
""",
}
