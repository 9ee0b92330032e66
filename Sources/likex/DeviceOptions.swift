// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import KVM
import TestMachine

/// Which device, and how its files are used.
struct DeviceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The device (default: /dev/rust_kvm if there is one, else /dev/kvm).", valueName: "path"))
    var device: String?

    @Flag(help: "LiKeX's way: every ioctl on the one file of the device. Only /dev/rust_kvm has it.")
    var oneFile = false

    var personality: Personality { oneFile ? .oneFile : .kvm }

    /// Opens the device, and says in one line which it is where that wasn't asked for.
    func open() throws(MachineError) -> System {
        if let device { return try Self.open(device) }
        let path = Console.exists(Devices.likex) ? Devices.likex : Devices.stock
        Console.error("likex: using \(path)" + (path == Devices.stock ? ", there is no \(Devices.likex)" : ""))
        return try Self.open(path)
    }

    static func open(_ path: String) throws(MachineError) -> System {
        do throws(KVMError) {
            return try System(path: path)
        } catch {
            throw .device(path: path, error)
        }
    }
}

/// The devices that the command knows of.
enum Devices {
    static let likex = "/dev/rust_kvm"
    static let stock = "/dev/kvm"
}

extension System {
    /// What CPUID answers in a guest that runs on this device alone.
    func guestCPUID() throws(MachineError) -> CPUIDTable { CPUIDTable.common([try offeredCPUID()]) }

    /// CPUID as the device offers it.
    func offeredCPUID() throws(MachineError) -> CPUIDTable {
        do throws(KVMError) {
            return try supportedCPUID()
        } catch {
            throw .device(path: path, error)
        }
    }
}
