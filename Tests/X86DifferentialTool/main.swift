// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Random instructions and sequences on the interpreter and on Unicorn, or on this machine's own processor.
import Glibc
import X86Differential

#if canImport(CUnicorn)
    var options = Options()
    options.read(CommandLine.arguments.dropFirst())
    exit(Run(options).report() ? 0 : 1)
#else
    print("x86-differential: was built without Unicorn; install libunicorn-dev (make setup) and build again")
    exit(2)
#endif
