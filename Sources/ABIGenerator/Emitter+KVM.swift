// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The tables whose numbers come from <linux/kvm.h>.
extension Emitter {
    static let ioctls = Emitter(table: "ioctls.def", macro: "LKX_IOCTL", columns: 2, more: false) {
        (table) throws(TableError) in
        let scopes = ["SYSTEM", "VM", "VCPU", "DEVICE"]
        for row in table.rows where !scopes.contains(row.columns[1]) {
            throw TableError(
                file: table.file, line: row.line,
                message: "scope '\(row.columns[1])' is none of \(scopes.joined(separator: ", "))")
        }
        let body = try table.enumOverConstants(
            type: "Ioctl", about: "An ioctl of KVM's, with its request number.", property: "request",
            prefix: "KVM_", constant: "lkx_ioctl_")
        return body + """

            extension Ioctl {
                /// The kind of file that takes the ioctl.
                public var scope: IoctlScope {
                    switch self {
            \(table.lines { "        case .\(swiftName($0.columns[0], dropping: "KVM_")): .\(swiftName($0.columns[1]))" })
                    }
                }
            }

            """
    }

    static let capabilities = Emitter(
        table: "capabilities.def", macro: "LKX_CAPABILITY", columns: 1, more: false
    ) { (table) throws(TableError) in
        try table.enumOverConstants(
            type: "Capability", about: "What KVM_CHECK_EXTENSION can be asked about.", property: "number",
            prefix: "KVM_CAP_", constant: "lkx_capability_")
    }

    static let kvmExits = Emitter(table: "kvm_exits.def", macro: "LKX_KVM_EXIT", columns: 1, more: false) {
        (table) throws(TableError) in
        try table.enumOverConstants(
            type: "KVMExit", about: "Why KVM_RUN came back: kvm_run.exit_reason.", property: "number",
            prefix: "KVM_EXIT_", constant: "lkx_exit_")
    }
}
