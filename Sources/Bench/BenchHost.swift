// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What the benches ask the operating system.
public struct BenchHost {
    /// A text file of /proc or /sys; nil where it can't be read.
    let read: (String) -> String?
    /// All of a file; nil where it can't be read.
    let bytes: (String) -> [UInt8]?
    /// Descriptors that this process has open.
    let openFiles: () -> Int?

    public init(
        read: @escaping (String) -> String?, bytes: @escaping (String) -> [UInt8]?, openFiles: @escaping () -> Int?
    ) {
        self.read = read
        self.bytes = bytes
        self.openFiles = openFiles
    }

    /// The kernel's release, or `?`.
    var kernel: String {
        read("/proc/sys/kernel/osrelease")?.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? "?"
    }

    func memoryUse() -> MemoryUse? {
        guard let meminfo = read("/proc/meminfo"), let zoneinfo = read("/proc/zoneinfo"), let loadavg = read("/proc/loadavg") else { return nil }
        return MemoryUse(meminfo: meminfo, zoneinfo: zoneinfo, loadavg: loadavg)
    }
}
