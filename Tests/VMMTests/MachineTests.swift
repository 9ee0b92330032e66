// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation
import Glibc
import MachineConfig
import Testing

@testable import VMM

@Suite("A machine that can't be made says why, with what and which value")
struct MachineTests {
    private func problem(_ change: (inout MachineConfig) -> Void) -> String {
        var config = MachineConfig(kernel: "/dev/null")
        config.device = "/dev/null"
        change(&config)
        do throws(VMMError) {
            _ = try Machine(config)
            return "it was made"
        } catch {
            return error.description
        }
    }

    private func file(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "vmm-test-\(UUID().uuidString)")
        try Data(bytes).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        try body(url.path)
    }

    @Test func kernels() throws {
        #expect(problem { $0.kernel = "/nonexistent" } == "the kernel /nonexistent: No such file or directory")
        #expect(problem { _ in } == "the kernel /dev/null is empty")
        try file(Array("no kernel at all".utf8)) { path in
            #expect(problem { $0.kernel = path }.hasPrefix("the kernel \(path): "))
        }
    }

    @Test func disks() throws {
        #expect(problem { $0.disks = [.init(file: "/nonexistent")] } == "the disk /nonexistent: No such file or directory")
        try file([1, 2, 3]) { path in
            #expect(problem { $0.disks = [.init(file: path)] } == "the disk \(path) has 3 bytes: not one sector of 512")
        }
        try file([UInt8](repeating: 0, count: 512)) { path in
            #expect(
                problem { $0.disks = [.init(file: path), .init(file: path)] }
                    == "the disk \(path): another disk of this VM is the same file, and they aren't both read-only")
            let other = try Descriptor.opening(path, O_RDONLY, about: "file")
            #expect(flock(other.number, LOCK_SH | LOCK_NB) == 0)
            #expect(problem { $0.disks = [.init(file: path)] }.hasSuffix("another VM has it"))
        }
        #expect(problem { $0.disks = [.init(file: "/dev/zero")] } == "the disk /dev/zero is neither a file nor a block device")
    }

    @Test func what() {
        #expect(problem { $0.cpus = 65 } == "65 processors: there can be 1 to 64")
        #expect(
            problem { $0.log = "/nonexistent/l" }
                == "the log /nonexistent/l: No such file or directory: its folder must be there; a pipe needs a reader first")
        #expect(problem { $0.vsock = .init(cid: 3, path: "/nonexistent/s") } == "the socket /nonexistent/s: No such file or directory")
    }
}
