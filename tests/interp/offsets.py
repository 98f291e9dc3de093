#!/usr/bin/python3
"""Where pythons.def and phps.def say that interpreters have what, against the headers of the versions
that are installed with theirs."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from checks import run
from pythons import DEF, SKIPPED, installed, known

HEAD = r"""
#define Py_BUILD_CORE 1
#include <Python.h>
#include <stddef.h>
#include <stdio.h>
#if PY_VERSION_HEX >= 0x030b0000
#include <internal/pycore_frame.h>
#else
#include <frameobject.h>
#include <code.h>
#endif
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#define NONE 65535
#define OFF(type, field) (int)offsetof(type, field)
int main(void)
{
"""
OLD = {"current": "OFF(_PyRuntimeState, gilstate.tstate_current)",
       "key": "OFF(_PyRuntimeState, gilstate.autoTSSkey)"}
FRAME = {"start": "24", "code": "OFF(PyFrameObject, f_code) - 24",
         "previous": "OFF(PyFrameObject, f_back) - 24", "frame": "OFF(PyThreadState, frame)",
         "instr": "OFF(PyFrameObject, f_lasti) - 24", "inner": "NONE",
         "bytes": "OFF(PyFrameObject, f_lasti) - 24 + (int)sizeof(int)", "entry": "0",
         "instructions": "0", "name": "OFF(PyCodeObject, co_name)"}
INNER = {"frame": "OFF(PyThreadState, cframe)", "inner": "OFF(_PyCFrame, current_frame)"}
NEW = {"start": "0", "code": "OFF(_PyInterpreterFrame, f_code)",
       "previous": "OFF(_PyInterpreterFrame, previous)",
       "instr": "OFF(_PyInterpreterFrame, prev_instr)", "bytes": "72",
       "entry": "OFF(_PyInterpreterFrame, owner)",
       "instructions": "OFF(PyCodeObject, co_code_adaptive)",
       "name": "OFF(PyCodeObject, co_qualname)"}
KEY = {"current": "0", "key": "OFF(_PyRuntimeState, autoTSSkey)"}
ALL = {"thread_id": "OFF(PyThreadState, thread_id)",
       "first_line": "OFF(PyCodeObject, co_firstlineno)",
       "file": "OFF(PyCodeObject, co_filename)", "table": "OFF(PyCodeObject, co_linetable)",
       "ascii": "(int)sizeof(PyASCIIObject)", "compact": "(int)sizeof(PyCompactUnicodeObject)"}
VERSIONS = {
    (3, 9): ALL | OLD | FRAME | {"table": "OFF(PyCodeObject, co_lnotab)"},
    (3, 10): ALL | OLD | FRAME,
    (3, 11): ALL | OLD | NEW | INNER | {"entry": "OFF(_PyInterpreterFrame, is_entry)"},
    (3, 12): ALL | KEY | NEW | INNER,
    (3, 13): ALL | KEY | NEW | {
        "frame": "OFF(PyThreadState, current_frame)", "inner": "NONE",
        "code": "OFF(_PyInterpreterFrame, f_executable)",
        "instr": "OFF(_PyInterpreterFrame, instr_ptr)"},
}
COLUMNS = ["current", "key", "thread_id", "frame", "inner", "start", "bytes", "code", "previous",
           "instr", None, "entry", None, None, None, "instructions", None, "first_line", "file",
           "name", "table", None, None, "ascii", "compact"]


def includes_of(python):
    done = subprocess.run([python, "-c", "import sysconfig; "
                           "print(sysconfig.get_path('include'))"],
                          capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())
    return folder if (folder / "internal/pycore_runtime.h").exists() else None


def compiled(head, fields, options):
    """{name: what the headers say}"""
    with tempfile.TemporaryDirectory() as folder:
        return compiled_in(folder, head, fields, options)


def compiled_in(folder, head, fields, options):
    prints = "".join(f'\tprintf("{name} %d\\n", {expression});\n'
                     for name, expression in fields.items())
    source = Path(folder, "offsets.c")
    source.write_text(f"{head}{prints}\treturn 0;\n}}\n", encoding="ascii")
    subprocess.run(["gcc", "-w", *options, "-o", source.with_suffix(""), source], check=True)
    text = subprocess.run([source.with_suffix("")], capture_output=True, text=True,
                          check=True).stdout
    return {name: int(value) for name, value in map(str.split, text.splitlines())}


PHP_HEAD = r"""
#include <php.h>
#include <zend_compile.h>
#include <zend_globals.h>
#include <stddef.h>
#include <stdio.h>
#define OFF(type, field) (int)offsetof(type, field)
int main(void)
{
"""
PHP = {"version": "PHP_MAJOR_VERSION * 100 + PHP_MINOR_VERSION",
       "current": "OFF(zend_executor_globals, current_execute_data)",
       "opline": "OFF(zend_execute_data, opline)", "func": "OFF(zend_execute_data, func)",
       "flags": "OFF(zend_execute_data, This.u1.type_info) + 2",
       "previous": "OFF(zend_execute_data, prev_execute_data)",
       "name": "OFF(zend_op_array, function_name)", "scope": "OFF(zend_op_array, scope)",
       "last": "OFF(zend_op_array, last)", "opcodes": "OFF(zend_op_array, opcodes)",
       "file": "OFF(zend_op_array, filename)", "op_bytes": "(int)sizeof(zend_op)",
       "line": "OFF(zend_op, lineno)", "top": "ZEND_CALL_TOP >> 16",
       "class_name": "OFF(zend_class_entry, name)", "length": "OFF(zend_string, len)",
       "bytes": "OFF(zend_string, val)"}


def number(word):
    return 65535 if word == "SKEP_INTERP_NO_OFF" else int(word)


def check_offsets(includes):
    for version, include in includes.items():
        row = {name: number(word) for name, word in zip(COLUMNS, known()[version]) if name}
        found = compiled(HEAD, VERSIONS[version],
                         ["-I", include, "-I", include / "internal"])
        assert row == found, f"{version}: {row}, by its headers {found}"
        print(f"{version}: {len(found)} offsets")


def check_offsets_of_php(options):
    found = compiled(PHP_HEAD, PHP, options)
    rows = {words[0] * 100 + words[1]: words[2:] for words in php_rows()}
    assert found["version"] in rows, f"no row for {found['version']}"
    row = dict(zip(list(PHP)[1:], rows[found["version"]]))
    row |= {"version": found["version"], "top": 2, "class_name": 8, "length": 16, "bytes": 24}
    assert row == found, f"{row}, by its headers {found}"


def php_rows():
    text = DEF.with_name("phps.def").read_text()
    return [[int(word) for word in row.split(",")]
            for row in re.findall(r"^PHP\((.*)\)$", text, re.M)]


def php_options():
    if not shutil.which("php-config"):
        return None
    return subprocess.run(["php-config", "--includes"], capture_output=True, text=True,
                          check=True).stdout.split()


def main():
    includes = {version: includes_of(python) for version, python in installed().items()}
    includes = {version: folder for version, folder in includes.items() if folder}
    php = php_options()
    if not includes and not php:
        print("not here: headers of an interpreter that is known")
        return SKIPPED
    status = run([check_offsets], includes) if includes else 0
    return status | (run([check_offsets_of_php], php) if php else 0)


if __name__ == "__main__":
    sys.exit(main())
