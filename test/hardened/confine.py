#!/usr/bin/python3
"""Becomes a program in the confinement of the units, with the kill action.

confine.py [--calls FILE] [--families 1,2,10] [--root FOLDER --libraries A,B] -- PROGRAM [WORD...]

--calls      names of the system calls that are allowed, one a line; any other kills the process
--families   the address families a socket may have
--root       a root of PROGRAM, the libraries, /proc and an empty /tmp; FOLDER is there at its own path

The process is the same one: signals and exit code need nobody to pass them on, which bubblewrap, a
parent that waits, does not do. It is uid 65532 of a name space of its own, without any capability.
"""
import argparse
import ctypes
import os
import sys
import tempfile

USER = 65532
NEW_NAMESPACE, NEW_USER = 0x00020000, 0x10000000
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 32, 4096, 16384, 1 << 18
NO_SUID, NO_DEVICES = 2, 4
DETACH = 2
DROP_BOUNDING, NO_NEW_PRIVILEGES = 24, 38
CAPABILITIES_MAX = 64
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}[os.uname().machine]

libc = ctypes.CDLL(None, use_errno=True)


def called(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source, target, kind, flags, options=None):
    texts = [text and text.encode() for text in (source, target, kind)]
    called(libc.mount(*texts, flags, options and options.encode()), f"mount {target}")


def become_nobody(namespaces):
    user, group = os.geteuid(), os.getegid()
    called(libc.unshare(NEW_USER | namespaces), "unshare")
    for name, text in [
        ("setgroups", "deny"),
        ("uid_map", f"{USER} {user} 1"),
        ("gid_map", f"{USER} {group} 1"),
    ]:
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def place(root, path, is_folder):
    """Something of the old root, at its own path in the new one; read-only unless it is a folder."""
    target = root + path
    os.makedirs(target if is_folder else os.path.dirname(target), exist_ok=True)
    if not is_folder:
        open(target, "w").close()
    mount(os.path.realpath(path), target, None, BIND | RECURSIVE)
    if not is_folder:
        mount(None, target, None, BIND | REMOUNT | READ_ONLY | NO_SUID | NO_DEVICES)


def enter_bare_root(program, libraries, folder):
    mount(None, "/", None, RECURSIVE | PRIVATE)
    root = tempfile.mkdtemp(dir=folder)
    mount("tmpfs", root, "tmpfs", NO_SUID | NO_DEVICES, "mode=0755")
    for path in ["/tmp", "/proc", "/old"]:
        os.makedirs(root + path, exist_ok=True)
    mount("tmpfs", root + "/tmp", "tmpfs", NO_SUID | NO_DEVICES, "mode=1777")
    for path in [program, *libraries]:
        place(root, path, False)
    place(root, "/proc", True)
    place(root, folder, True)
    called(libc.syscall(PIVOT_ROOT, root.encode(), f"{root}/old".encode()), "pivot_root")
    os.chdir("/")
    called(libc.umount2(b"/old", DETACH), "umount")
    os.rmdir("/old")
    mount(None, "/", None, BIND | REMOUNT | READ_ONLY | NO_SUID | NO_DEVICES)


def give_up_privileges():
    for capability in range(CAPABILITIES_MAX):
        libc.prctl(DROP_BOUNDING, capability, 0, 0, 0)
    called(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no_new_privs")


def filter_calls(names, families):
    import seccomp

    rules = seccomp.SyscallFilter(seccomp.KILL_PROCESS)
    for name in names:
        try:
            if name == "socket" and families:
                for family in families:
                    rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(0, seccomp.EQ, family))
            else:
                rules.add_rule(seccomp.ALLOW, name)
        except (RuntimeError, OSError, ValueError):
            pass  # A call of another architecture, or one this libseccomp has not heard of.
    return rules


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls")
    parser.add_argument("--families", default="")
    parser.add_argument("--root")
    parser.add_argument("--libraries", default="")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    wish = parser.parse_args()
    program = wish.program[1:] if wish.program[:1] == ["--"] else wish.program
    rules = None
    if wish.calls:
        with open(wish.calls) as file:
            names = file.read().split()
        rules = filter_calls(names, [int(one) for one in wish.families.split(",") if one])
    become_nobody(NEW_NAMESPACE if wish.root else 0)
    if wish.root:
        enter_bare_root(program[0], wish.libraries.split(","), wish.root)
    give_up_privileges()
    if rules:
        rules.load()
    os.execv(program[0], program)


if __name__ == "__main__":
    sys.exit(main())
