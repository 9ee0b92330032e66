// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Devices
import Glibc
import Testing

@testable import VMM

@Suite("Descriptors that come through a socket, and what they are")
struct ReceivingTests {
    private func pair() -> (Descriptor, Descriptor) {
        var ends: [Int32] = [-1, -1]
        let answer = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
        precondition(answer == 0)
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }

    private func receive(_ socket: Descriptor) -> (count: Int, text: String, descriptors: [Int32]) {
        var (buffer, numbers, came) = ([UInt8](repeating: 0, count: 100), [Int32](repeating: -1, count: Int(LKX_VMM_MOST_DESCRIPTORS)), UInt32(9))
        let count = unsafe lkx_vmm_receive(socket.number, &buffer, buffer.count, &numbers, &came)
        return (count, String(decoding: buffer.prefix(max(0, count)), as: UTF8.self), Array(numbers.prefix(Int(came))))
    }

    @Test func descriptors() {
        let (mine, other) = pair()
        #expect(receive(mine) == (-Int(EAGAIN), "", []))
        _ = unsafe write(other.number, "plain", 5)
        #expect(receive(mine) == (5, "plain", []))
        let files = (0..<6).map { _ in TestFile(1) }
        for count in 1...6 {
            other.pass(files[..<count].map(\.descriptor), "x")
            let (_, text, came) = receive(mine)
            #expect(text == "x" && came.count == min(count, Int(LKX_VMM_MOST_DESCRIPTORS)))
            for (index, descriptor) in came.enumerated() {
                #expect(TestFile.number(descriptor) == TestFile.number(files[index].descriptor))
                #expect(fcntl(descriptor, F_GETFD) == FD_CLOEXEC)
                close(descriptor)
            }
        }
        shutdown(other.number, Int32(SHUT_RDWR))
        #expect(receive(mine) == (0, "", []))
    }

    private func problem(_ descriptor: Int32, isReadOnly: Bool, others: [DiskFile] = []) -> String {
        do throws(VMMError) {
            _ = try DiskFile(.init(owning: descriptor), "D", isReadOnly: isReadOnly, others: others)
            return "none"
        } catch { return error.description }
    }

    @Test func whatCanBeADisk() throws {
        let neither = "the disk D is neither a file nor a block device"
        #expect(problem(unsafe open("/tmp", O_RDONLY), isReadOnly: true) == neither)
        #expect(problem(unsafe open("/dev/zero", O_RDWR), isReadOnly: false) == neither)
        let (one, _) = pair()
        #expect(problem(dup(one.number), isReadOnly: false) == neither)
        #expect(problem(TestFile(512, O_RDONLY).copy, isReadOnly: false) == "the disk D must be open for reading and writing (O_RDWR), or be read-only")
        #expect(problem(TestFile(512, O_WRONLY).copy, isReadOnly: false).hasPrefix("the disk D must be open for reading and writing"))
        #expect(problem(TestFile(512, O_WRONLY).copy, isReadOnly: true) == "the disk D must be open for reading")
        #expect(problem(TestFile(512, lkx_vmm_path_only).copy, isReadOnly: true) == "the disk D must be open for reading")
        #expect(problem(TestFile(512, O_RDWR | O_APPEND).copy, isReadOnly: false).contains("O_APPEND"))
        #expect(problem(TestFile(512, O_RDONLY | O_APPEND).copy, isReadOnly: true) == "none")
        #expect(problem(TestFile(511).copy, isReadOnly: false) == "the disk D has 511 bytes: not one sector of 512")
        #expect(problem(TestFile(512).copy, isReadOnly: false) == "none")
    }

    @Test("Two disks of one file are both read-only; descriptors of one open(2) have the same lock, so they are compared")
    func oneFileTwice() throws {
        let file = TestFile(1024)
        let writable = try DiskFile(.init(owning: file.copy), "D", isReadOnly: false, others: [])
        let twice = "the disk D: another disk of this VM is the same file, and they aren't both read-only"
        #expect(problem(file.copy, isReadOnly: false, others: [writable]) == twice)
        #expect(problem(file.copy, isReadOnly: true, others: [writable]) == twice)
        writable.unlock()
        let readOnly = try DiskFile(.init(owning: file.copy), "D", isReadOnly: true, others: [])
        #expect(problem(file.copy, isReadOnly: false, others: [readOnly]) == twice)
        #expect(problem(file.copy, isReadOnly: true, others: [readOnly]) == "none")
    }
}
