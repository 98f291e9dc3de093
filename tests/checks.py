"""Runs a list of checks, functions called check_…, and prints what tests/run counts: cmocka's form."""


def run(checks, *args):
    """Each check with @args; one that raises AssertionError has failed. The exit status."""
    failed = []
    for check in checks:
        name = check.__name__.removeprefix("check_")
        print(f"[ RUN      ] {name}", flush=True)
        try:
            check(*args)
            print(f"[       OK ] {name}", flush=True)
        except AssertionError as error:
            print(f"{error}\n[  FAILED  ] {name}", flush=True)
            failed.append(name)
    print(f"[==========] {len(checks)} test(s) run.\n"
          f"[  PASSED  ] {len(checks) - len(failed)} test(s).")
    if failed:
        print(f"[  FAILED  ] {len(failed)} test(s), listed below:")
    return 1 if failed else 0
