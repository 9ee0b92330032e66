// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation
import PackagePlugin

/// Runs `generate-abi` over kmod/include/tables before the target that uses this plugin is compiled.
@main
struct GenerateABI: BuildToolPlugin {
    /// The tables, and the Swift file made of each: the same list as `ABIGenerator.Emitter.all`.
    static let tables = [
        ("ioctls.def", "Ioctl.swift"),
        ("capabilities.def", "Capability.swift"),
        ("kvm_exits.def", "KVMExit.swift"),
        ("vmcs_fields.def", "VMCSField.swift"),
        ("exit_reasons.def", "VMXExitReason.swift"),
        ("control_bits.def", "VMXControl.swift"),
        ("msrs.def", "ModelSpecificRegister.swift"),
    ]

    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let generator = try context.tool(named: "generate-abi")
        let directory = context.package.directoryURL.appending(path: "kmod/include/tables")
        return Self.tables.map { table, swift in
            let input = directory.appending(path: table)
            let output = context.pluginWorkDirectoryURL.appending(path: swift)
            return .buildCommand(
                displayName: "Generating \(swift) from \(table)",
                executable: generator.url,
                arguments: [input.path, output.path],
                inputFiles: [input],
                outputFiles: [output])
        }
    }
}
