// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import KVM
import Simulator
import TestMachine

/// Which device, and how its files are used.
struct DeviceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The device, or sim for the simulated one (default: /dev/rust_kvm if there is one, else /dev/kvm, else sim).",
            valueName: "path"))
    var device: String?

    @Flag(help: "LiKeX's way: every ioctl on the one file of the device. Only /dev/rust_kvm has it.")
    var oneFile = false

    var personality: Personality { oneFile ? .oneFile : .kvm }

    func open() throws(MachineError) -> System { try Self.open(choose()) }

    /// The device's path; says in one line which it is where that wasn't asked for.
    func choose() -> String { device ?? Self.found() }

    /// The device that there is; says in one line which it is.
    static func found() -> String {
        let path = [Devices.likex, Devices.stock].first(where: Console.exists) ?? Devices.simulated
        let why =
            switch path {
            case Devices.likex: ""
            case Devices.stock: ", there is no \(Devices.likex)"
            default: ", the simulated device: there is neither \(Devices.likex) nor \(Devices.stock)"
            }
        Console.error("likex: using \(path)\(why)")
        return path
    }

    /// - Parameter simulator: whose device it is where it is the simulated one; nil makes one.
    static func open(_ path: String, in simulator: SimulatedKernel? = nil) throws(MachineError) -> System {
        do throws(KVMError) {
            guard path == Devices.simulated else { return try System(path: path) }
            if let simulator { return try System(path: path, in: simulator) }
            return try System(path: path, in: SimulatedKernel())
        } catch {
            throw .device(path: path, error)
        }
    }
}

extension SimulatedKernel {
    /// A simulator to look into, where a path is the simulated device's.
    static func ifNamed(_ path: String) throws(MachineError) -> SimulatedKernel? {
        guard path == Devices.simulated else { return nil }
        do throws(KVMError) {
            return try SimulatedKernel()
        } catch {
            throw .device(path: path, error)
        }
    }
}

/// The devices that the command knows of.
enum Devices {
    static let likex = "/dev/rust_kvm"
    static let stock = "/dev/kvm"
    /// Not a file: the module's own logic on a simulated processor, in this process.
    static let simulated = SimulatedKernel.path
}

extension Machine {
    /// The machine of a guest; nil, and a line that says so, where the device lacks what the guest needs.
    static func make(
        _ file: GuestFile, on system: borrowing System, _ personality: Personality
    ) throws(MachineError) -> Machine? {
        let cpuid = try system.guestCPUID()
        let missing = file.guest.missingFeatures(in: cpuid)
        guard missing.isEmpty else {
            Console.error(
                "likex: \(file.guest.name) is skipped: \(system.path) doesn't offer \(missing.joined(separator: ", "))")
            return nil
        }
        return try Machine(file.guest, image: file.image, on: system, personality, cpuid: cpuid)
    }
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
