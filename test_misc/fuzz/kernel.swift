// SPDX-License-Identifier: MIT OR GPL-2.0-only
// fuzz: -max_len=4096 -len_control=0
// Fuzzes what reads a kernel's file and plans its start. The input: sixteen bytes that choose the machine, then the file.
@testable import Boot

@c(LLVMFuzzerTestOneInput)
public func fuzzKernel(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data = unsafe data, size >= Choice.size else { return 0 }
    let bytes = unsafe UnsafeRawBufferPointer(start: data, count: size)
    let choice = unsafe Choice(bytes)
    let file = unsafe UnsafeRawBufferPointer(rebasing: bytes[Choice.size...])
    let kernel: KernelImage
    do throws(ImageError) { kernel = unsafe try KernelImage(file.bytes) } catch {
        precondition(error.description.utf8.count > 20)
        return 0
    }
    check(kernel, fileSize: UInt64(file.count))
    do throws(BootError) { check(try choice.plan(kernel), choice, kernel) } catch {
        precondition(error.description.utf8.count > 20)
    }
    return 0
}

/// What the machine is like.
struct Choice {
    static let size = 16
    /// Their writing takes no input of others.
    private static let tables = ACPITables(Board(processors: 64))
    var memory: UInt64
    var initrd: UInt64
    var commandLine: [UInt8]
    var acpi: ACPITables?
    var entry: BootPlan.Entry

    init(_ bytes: UnsafeRawBufferPointer) {
        func field<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _ type: T.Type) -> T {
            unsafe bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
        }
        memory = UInt64(field(0, UInt32.self)) << 12
        // Some that are enormous.
        initrd = UInt64(field(4, UInt32.self)) << UInt64(field(8, UInt8.self) & 31)
        commandLine = [UInt8](repeating: UInt8(ascii: "x"), count: Int(field(9, UInt16.self) & 0xFFF))
        if field(11, UInt8.self) & 1 != 0, !commandLine.isEmpty { commandLine[commandLine.count / 2] = 0 }
        entry = field(14, UInt8.self) & 1 != 0 ? .pvh : .linux64
        if field(13, UInt8.self) & 1 != 0 { acpi = Self.tables }
    }

    func plan(_ kernel: KernelImage) throws(BootError) -> BootPlan {
        try BootPlan(
            kernel, on: BootPlan.Machine(memorySize: memory, acpi: acpi, gigabytePages: true), commandLine: commandLine,
            initrdSize: initrd, entry: entry)
    }
}

/// What a VMM relies on when it copies.
func check(_ kernel: KernelImage, fileSize: UInt64) {
    precondition(!kernel.segments.isEmpty && !kernel.taken.isEmpty)
    for segment in kernel.segments {
        precondition(segment.fileOffset <= fileSize && segment.fileSize <= fileSize - segment.fileOffset)
        precondition(segment.memorySize >= segment.fileSize && segment.memorySize > 0)
        precondition(kernel.taken.contains(segment.address) && segment.end <= kernel.taken.upperBound)
    }
    for (one, next) in zip(kernel.segments, kernel.segments.dropFirst()) { precondition(one.end <= next.address) }
    precondition(kernel.segments.contains { $0.range.contains(kernel.entry64) })
    if let entry = kernel.entryPVH {
        precondition(kernel.segments.contains { $0.range.contains(entry) } && entry >> 32 == 0)
    }
}

func check(_ plan: BootPlan, _ choice: Choice, _ kernel: KernelImage) {
    let ram = Layout.ram(choice.memory)[0]
    var ranges = plan.contents.map(\.range) + [kernel.taken]
    if !plan.initrd.isEmpty { ranges.append(plan.initrd) }
    precondition(UInt64(plan.initrd.count) == choice.initrd)
    ranges.sort { $0.lowerBound < $1.lowerBound }
    for range in ranges { precondition(range.upperBound <= ram.upperBound) }
    for (one, next) in zip(ranges, ranges.dropFirst()) { precondition(one.upperBound <= next.lowerBound) }
    precondition(kernel.taken.contains(plan.start.rip) && plan.start.rip < 1 << 32)
    precondition(plan.initrd.isEmpty || plan.initrd.upperBound - 1 <= kernel.initrdAddressMax)
}
