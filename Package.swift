// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation
import PackageDescription

/// What every Swift target is compiled with.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// The core keeps to the kernel's conventions: hooks ignore parameters that the other platform needs.
let coreWarnings: [CSetting] = [.unsafeFlags(["-Wall", "-Wextra", "-Wno-unused-parameter"])]

/// The interpreter is too slow to test with when it isn't optimised.
let interpreterSpeed: [SwiftSetting] = [.unsafeFlags(["-O"], .when(configuration: .debug))]

/// An independent engine that the interpreter's tests compare with, where Debian's libunicorn-dev is installed.
let hasUnicorn = FileManager.default.fileExists(atPath: "/usr/include/unicorn/unicorn.h")
let unicorn: [Target.Dependency] = hasUnicorn ? ["CUnicorn"] : []
let unicornTargets: [Target] = hasUnicorn ? [.systemLibrary(name: "CUnicorn", path: "Tests/CUnicorn")] : []

let package = Package(
    name: "LiKeX",
    products: [
        .executable(name: "likex", targets: ["likex"]),
        .library(name: "KVM", targets: ["KVM"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // The ABI: C's view, the generator that reads kmod/include/tables, and Swift's view.
        .target(name: "CKVMABI"),
        .target(name: "ABIGenerator", swiftSettings: strict),
        .executableTarget(name: "generate-abi", dependencies: ["ABIGenerator"], swiftSettings: strict),
        .plugin(name: "GenerateABI", capability: .buildTool(), dependencies: ["generate-abi"]),
        .target(name: "KVMABI", dependencies: ["CKVMABI"], swiftSettings: strict, plugins: ["GenerateABI"]),

        // Typed handles on a KVM-compatible device.
        .target(name: "CKVMSys"),
        .target(name: "KVM", dependencies: ["KVMABI", "CKVMABI", "CKVMSys"], swiftSettings: strict),

        // Finishes in user space, with the interpreter, what a device's kernel side doesn't decode.
        .target(name: "Emulation", dependencies: ["KVM", "CKVMABI", "X86"], swiftSettings: strict),

        // The test machine, and the command that drives it.
        .target(
            name: "TestMachine", dependencies: ["CKVMABI", "Emulation", "KVM", "KVMABI"], swiftSettings: strict),
        // Page tables and exits over time, as text and as SVG pictures.
        .target(name: "Pictures", dependencies: ["Bench", "TestMachine", "KVM", "KVMABI"], swiftSettings: strict),
        // What a device costs, measured.
        .target(
            name: "Bench", dependencies: ["CKVMABI", "KVM", "TestMachine"], swiftSettings: strict),
        .executableTarget(
            name: "likex",
            dependencies: [
                "Bench", "JSON", "MachineConfig", "TestMachine", "KVM", "KVMABI", "Simulator", "Pictures",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict,
            // gold warns of mktemp in Foundation, which nothing here calls; lld doesn't.
            linkerSettings: [.unsafeFlags(["-use-ld=lld"])]),

        // The module's portable core, compiled from the module's own sources for a simulated processor.
        .target(name: "CLikexHW", cSettings: [.headerSearchPath("../../kmod/core")] + coreWarnings),
        .target(
            name: "CLikexCore", dependencies: ["CLikexHW"], path: "kmod/core", publicHeadersPath: ".",
            cSettings: [.headerSearchPath("../include")] + coreWarnings),
        .target(
            name: "CoreTestSupport", dependencies: ["CLikexCore", "CLikexHW"], path: "Tests/CoreTestSupport",
            cSettings: coreWarnings),

        .target(name: "CVMMSys"),
        // A microVM on any KVM-compatible device, and the process of one; small, so no Foundation.
        .target(
            name: "VMM", dependencies: ["Boot", "CDeviceSys", "CKVMABI", "CVMMSys", "Devices", "Emulation", "GuestMemory", "JSON", "KVM", "KVMABI", "MachineConfig", "QMP"],
            exclude: ["README.md"], swiftSettings: strict),
        .executableTarget(name: "likex-vmm", dependencies: ["MachineConfig", "VMM"], swiftSettings: strict),

        // The modelled VMX processor.
        .target(name: "VMXSim", dependencies: ["KVMABI"], swiftSettings: strict),
        // The module's core on that processor and the interpreter, as a device.
        .target(
            name: "Simulator",
            dependencies: ["CKVMABI", "CKVMSys", "CLikexCore", "CLikexHW", "Emulation", "KVM", "KVMABI", "VMXSim", "X86"],
            swiftSettings: strict),

        // The interpreter, which knows nothing of VMX; its tests compare it with Unicorn where that is installed.
        .target(name: "X86", swiftSettings: strict + interpreterSpeed, linkerSettings: [.linkedLibrary("m")]),
        .executableTarget(
            name: "x86-bench", dependencies: ["X86"] + unicorn, path: "Tests/X86Bench", swiftSettings: strict),

        // A guest's memory, bounds-checked, for its devices.
        .target(name: "CGuestMemory"),
        .target(name: "GuestMemory", dependencies: ["CGuestMemory"], swiftSettings: strict),
        // One chip or virtio device per file: state only, no thread, no KVM.
        .target(name: "CDeviceSys"),
        .target(name: "Devices", dependencies: ["CDeviceSys", "GuestMemory"], swiftSettings: strict),
        .testTarget(name: "DevicesTests", dependencies: ["Devices", "GuestMemory", "TestRandom"], swiftSettings: strict),
        .testTarget(name: "GuestMemoryTests", dependencies: ["GuestMemory"], swiftSettings: strict),
        // What a guest system is started with: kernels, boot parameters, ACPI tables. Parsers and writers only.
        .target(name: "Boot", swiftSettings: strict),
        .testTarget(
            name: "VMMTests", dependencies: ["CKVMABI", "CSandboxChild", "CVMMSys", "Devices", "GuestMemory", "JSON", "KVM", "KVMABI", "MachineConfig", "QMP", "TestRandom", "VMM"],
            swiftSettings: strict),
        // System calls in children that have the sandbox.
        .target(name: "CSandboxChild", dependencies: ["CVMMSys"], path: "Tests/CSandboxChild"),
        .testTarget(name: "BootTests", dependencies: ["Boot"], swiftSettings: strict),
        .executableTarget(name: "boot-inspect", dependencies: ["Boot"], path: "Tests/BootInspect", swiftSettings: strict),
        // How a machine is described and controlled: JSON, a configuration, the server's side of QMP.
        .target(name: "JSON", swiftSettings: strict),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: strict),
        .target(name: "MachineConfig", dependencies: ["JSON"], swiftSettings: strict),
        .testTarget(name: "MachineConfigTests", dependencies: ["JSON", "MachineConfig"], swiftSettings: strict),
        .target(name: "QMP", dependencies: ["JSON"], swiftSettings: strict),
        .testTarget(name: "QMPTests", dependencies: ["JSON", "QMP"], swiftSettings: strict),
        .executableTarget(name: "qmp-echo", dependencies: ["JSON", "QMP"], path: "Tests/QMPEcho", swiftSettings: strict),

        .target(name: "CABITables", path: "Tests/CABITables"),
        .testTarget(
            name: "ABITests", dependencies: ["KVMABI", "CKVMABI", "CABITables"], swiftSettings: strict),
        .testTarget(
            name: "SimulatorTests",
            dependencies: ["Simulator", "KVM", "KVMABI", "CKVMABI", "CLikexCore", "CLikexHW", "TestMachine", "VMXSim"],
            swiftSettings: strict),
        // The numbers of tests that go by chance.
        .target(name: "TestRandom", path: "Tests/TestRandom", swiftSettings: strict),
        // Cases for the modelled processor, for its own tests and for a real or emulated one.
        .target(name: "VMXCases", dependencies: ["VMXSim", "KVMABI"], path: "Tests/VMXCases", swiftSettings: strict),
        // The same cases on the processor of a machine that has test_misc/vmx_cases loaded, compared with the model.
        .target(name: "CVMXCases", path: "Tests/CVMXCases"),
        .executableTarget(
            name: "vmx-cases", dependencies: ["VMXCases", "VMXSim", "KVMABI", "CVMXCases", "CKVMSys", "TestRandom"],
            path: "Tests/VMXCasesRunner", swiftSettings: strict),
        .testTarget(name: "VMXSimTests", dependencies: ["VMXCases", "VMXSim", "KVMABI"], swiftSettings: strict),
        .testTarget(name: "ABIGeneratorTests", dependencies: ["ABIGenerator"], swiftSettings: strict),
        .testTarget(
            name: "EmulationTests", dependencies: ["CKVMABI", "Emulation", "KVM", "Simulator"], swiftSettings: strict),
        .testTarget(name: "KVMTests", dependencies: ["KVM", "KVMABI", "CKVMABI"], swiftSettings: strict),
        .testTarget(name: "TestMachineTests", dependencies: ["TestMachine", "KVM", "CKVMABI"], swiftSettings: strict),
        .testTarget(name: "PicturesTests", dependencies: ["Bench", "Pictures", "KVM", "TestMachine"], swiftSettings: strict),
        .testTarget(name: "BenchTests", dependencies: ["Bench", "CKVMABI", "KVM", "Simulator", "TestMachine"], swiftSettings: strict),
        .testTarget(name: "likexTests", dependencies: ["likex", "KVM", "TestMachine"], swiftSettings: strict),
        .target(name: "CX87", path: "Tests/CX87"),
        .testTarget(
            name: "X86Tests", dependencies: ["X86", "X86Differential", "CX87", "TestRandom"], swiftSettings: strict + interpreterSpeed),
        // Random instructions on the interpreter, on Unicorn and on this machine's processor.
        .target(name: "CNativeCPU", path: "Tests/CNativeCPU"),
        .target(
            name: "X86Differential", dependencies: ["X86", "CNativeCPU", "TestRandom"] + unicorn, path: "Tests/X86Differential",
            swiftSettings: strict + interpreterSpeed),
        .executableTarget(
            name: "x86-differential", dependencies: ["X86Differential"] + unicorn, path: "Tests/X86DifferentialTool",
            swiftSettings: strict),
        .testTarget(
            name: "X86DifferentialTests", dependencies: ["X86Differential", "X86"] + unicorn,
            swiftSettings: strict + interpreterSpeed),
        .testTarget(name: "CoreTests", dependencies: ["CoreTestSupport", "CLikexCore", "CLikexHW", "TestRandom"]),
    ] + unicornTargets,
    cLanguageStandard: .gnu11
)
