// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing

@testable import KVM

@Suite("Errors say what was called, the error and what it likely means")
struct ErrorTests {
    @Test func description() {
        let error = KVMError(.createVm, .busy)
        #expect(error.description.hasPrefix("KVM_CREATE_VM: EBUSY (16, Device or resource busy): another hypervisor"))
    }

    @Test("an error that says it all has nothing added")
    func plain() {
        #expect(KVMError(.getRegs, .badAddress).description == "KVM_GET_REGS: EFAULT (14, Bad address)")
    }

    @Test("a number without a name")
    func unknown() {
        #expect(Errno(rawValue: 4000).description == "errno 4000 (4000, unknown error)")
    }

    @Test("ENOTTY names the kind of file")
    func notOffered() {
        #expect(KVMError(.run, .notATypewriter).description.hasSuffix("it is a vcpu ioctl"))
    }

    @Test(
        "constants have the kernel's numbers",
        arguments: [
            (Errno.operationNotPermitted, "EPERM"), (.noSuchFile, "ENOENT"), (.interrupted, "EINTR"),
            (.inputOutput, "EIO"), (.noSuchDeviceOrAddress, "ENXIO"), (.listTooBig, "E2BIG"), (.badDescriptor, "EBADF"),
            (.tryAgain, "EAGAIN"), (.noMemory, "ENOMEM"), (.permissionDenied, "EACCES"), (.badAddress, "EFAULT"),
            (.busy, "EBUSY"), (.exists, "EEXIST"), (.noDevice, "ENODEV"), (.invalidArgument, "EINVAL"),
            (.tooManyOpenFiles, "EMFILE"), (.notATypewriter, "ENOTTY"),
        ])
    func names(_ errno: Errno, _ name: String) { #expect(errno.name == name) }

    @Test("a device that isn't there")
    func missing() {
        let error = #expect(throws: KVMError.self) { _ = try System(path: "/nonexistent/kvm") }
        #expect(error?.errno == .noSuchFile)
        #expect(error?.operation == "open /nonexistent/kvm")
        #expect(error?.meaning?.contains("load its module") == true)
    }

    @Test("a device that isn't KVM's")
    func notKVM() {
        let error = #expect(throws: KVMError.self) { _ = try System(path: "/dev/null") }
        #expect(error?.operation == "KVM_GET_API_VERSION")
        #expect(error?.meaning == "/dev/null is not a KVM-compatible device")
    }
}
