// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CSandboxChild
import CVMMSys
import Foundation
import Glibc
import MachineConfig
import Testing

@testable import VMM

@Suite("The sandbox, in processes that are really given it")
struct SandboxTests {
    /// The status of a child with a machine's filter, what it said, and what its calls answered.
    private func run(_ calls: [(Int32, [UInt64])], onThread: Bool = false) -> (status: Int32, said: String, results: [Int]) {
        let program = CallFilter(MachineConfig(kernel: "k"), process: getpid()).program
        var list = calls.map { number, arguments in
            var call = lkx_test_call()
            call.number = Int(number)
            unsafe withUnsafeMutableBytes(of: &call.arguments) { bytes in
                for (index, argument) in arguments.enumerated() { unsafe bytes.storeBytes(of: argument, toByteOffset: index * 8, as: UInt64.self) }
            }
            call.result = -1000
            return call
        }
        var said = [CChar](repeating: 0, count: 512)
        let status = unsafe lkx_test_filtered(program, UInt32(program.count), &list, list.count, onThread ? 1 : 0, &said, said.count)
        let text = String(decoding: said.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (status, text, list.map(\.result))
    }

    @Test("What is allowed goes on, what is not ends the process with a status and a message of its own", arguments: [false, true])
    func forbidden(onThread: Bool) {
        let (status, said, results) = run(
            [(__NR_getpid, []), (__NR_read, [.max, 0, 0]), (__NR_socket, [2, 1, 0]), (__NR_getpid, [])], onThread: onThread)
        #expect(results[0] > 0)
        #expect(results[1] == -Int(EBADF))
        #expect(results[2...] == [-1000, -1000])
        #expect(status == LKX_VMM_FORBIDDEN_STATUS << 8)
        #expect(
            said
                == "likex-vmm: ended by its sandbox, which does not allow system call 41, socket(0x2, 0x1, 0x0, ...): a fault of likex-vmm or an attack by its guest\n"
        )
    }

    @Test func conditions() {
        let mapping = run([(__NR_mmap, [0, 4096, UInt64(PROT_READ), UInt64(MAP_PRIVATE | MAP_ANONYMOUS), .max, 0])])
        #expect(mapping.status == 0 && mapping.results[0] > 0)
        let code = run([(__NR_mmap, [0, 4096, UInt64(PROT_READ | PROT_EXEC), UInt64(MAP_PRIVATE | MAP_ANONYMOUS), .max, 0])])
        #expect(code.status == LKX_VMM_FORBIDDEN_STATUS << 8)
        #expect(code.said.contains("call 9, mmap(0x0, 0x1000, 0x5,"))
        // Some number without a name.
        #expect(run([(999, [])]).said.contains("call 999(0x0,"))
        // Another ABI's numbers: killed, with no word.
        let x32 = run([(Int32(CallFilter.x32) | __NR_getpid, [])])
        #expect(x32.status & 0x7F == SIGSYS && x32.said.isEmpty)
    }

    @Test("A file that became shorter while it is read ends the process with a message")
    func noMemory() {
        var said = [CChar](repeating: 0, count: 512)
        #expect(unsafe lkx_test_no_memory(&said, said.count) == LKX_VMM_NO_MEMORY_STATUS << 8)
        let text = String(decoding: said.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        #expect(text.hasPrefix("likex-vmm: the kernel or initrd became shorter while it was loaded, or the host has no memory left"))
    }

    @Test func nothingPrivileged() { #expect(lkx_test_unprivileged() == 0b111) }

    @Test("Landlock closes the file system but for removing in one folder", .enabled(if: lkx_vmm_landlock_version() > 0))
    func files() throws {
        let top = FileManager.default.temporaryDirectory.appending(path: "sandbox-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: top) }
        let (open, closed) = (top.appending(path: "open"), top.appending(path: "closed"))
        for folder in [open, closed] {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data([1]).write(to: folder.appending(path: "f"))
        }
        let rights = Landlock(version: Int(lkx_vmm_landlock_version()))
        var results = lkx_test_files()
        let error = unsafe lkx_test_landlocked(
            rights.files, rights.network, rights.scopes, open.path, Landlock.removeFile, open.appending(path: "f").path,
            open.appending(path: "f").path, closed.appending(path: "f").path, &results)
        #expect(error == 0)
        #expect(results.opened == -EACCES)
        #expect(results.removed == 0)
        #expect(results.removed_elsewhere == -EACCES)
    }

    @Test func versions() {
        #expect(Landlock(version: 1) == Landlock(version: 0))
        #expect(Landlock(version: 1).files == 0x1FFF)
        #expect(Landlock(version: 2).files == 0x3FFF)
        #expect(Landlock(version: 3).files == 0x7FFF && Landlock(version: 3).network == 0)
        #expect(Landlock(version: 4).files == 0x7FFF && Landlock(version: 4).network == 3)
        #expect(Landlock(version: 5).files == 0xFFFF && Landlock(version: 5).scopes == 0)
        #expect(Landlock(version: 6).scopes == 3)
        #expect(Landlock(version: 99) == Landlock(version: 6))
    }

    @Test func folders() {
        #expect(Sandbox.folder("q") == ".")
        #expect(Sandbox.folder("/q") == "/")
        #expect(Sandbox.folder("a/q") == "a")
        #expect(Sandbox.folder("/run/vm/é/q") == "/run/vm/é")
    }
}
