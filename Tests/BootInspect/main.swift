// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Shows what Boot makes of a kernel, and writes its ACPI tables to files, for test_misc/boot/judge to compare.
import Boot
import Glibc

func fail(_ text: String) -> Never {
    print("boot-inspect: \(text)")
    exit(1)
}

func read(_ path: String) -> [UInt8] {
    guard let file = unsafe fopen(path, "rb") else { fail("\(path) can't be opened") }
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while case let count = unsafe fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return bytes
}

func write(_ bytes: [UInt8], _ path: String) {
    guard let file = unsafe fopen(path, "wb") else { fail("\(path) can't be written") }
    let written = unsafe fwrite(bytes, 1, bytes.count, file)
    guard unsafe fclose(file) == 0, written == bytes.count else { fail("\(path) can't be written") }
}

func showKernel(_ path: String) {
    let bytes = read(path)
    let image: KernelImage
    do throws(ImageError) { image = unsafe try KernelImage(bytes.span.bytes) } catch { fail("\(error)") }
    if case .bzImage(let image) = image {
        print("format bzImage")
        print("version \(image.version)")
        print("release \(image.release ?? "")")
        print("header \(image.header.map { String($0) }.joined(separator: ","))")
        print("payload \(image.payload?.lowerBound ?? 0) \(image.payload?.count ?? 0)")
    } else {
        print("format ELF")
        print("pvh \(image.entryPVH ?? 0)")
    }
    for segment in image.segments {
        print("segment \(segment.fileOffset) \(segment.fileSize) \(segment.address) \(segment.memorySize)")
    }
    print("taken \(image.taken.lowerBound) \(image.taken.upperBound)")
    print("entry \(image.entry64)")
    print("limits \(image.commandLineLimit) \(image.initrdAddressMax)")
}

/// A board with all there is, or with next to nothing.
func writeTables(_ directory: String, processors: Int, devices: Int) {
    var board = Board(processors: processors)
    board.virtio = (0..<devices).map { index in
        Board.VirtioDevice(
            address: UInt32(Layout.virtio + UInt64(index) * Layout.virtioSize),
            gsi: Layout.freeGSIs[index % Layout.freeGSIs.count], trigger: index % 2 == 0 ? .edge : .level)
    }
    board.hasKeyboardController = devices > 0
    board.hasPIC = devices > 0
    let tables = ACPITables(board)
    for placed in tables.contents {
        let isRoot = placed.address == tables.rsdp
        let name = isRoot ? "RSDP" : String(decoding: placed.bytes[..<4], as: UTF8.self)
        write(placed.bytes, "\(directory)/\(name).aml")
        print("table \(name) \(placed.address) \(placed.bytes.count)")
    }
}

let words = CommandLine.arguments.dropFirst()
switch (words.first, words.count) {
case ("kernel", 2): showKernel(words[2])
case ("acpi", 4):
    guard let processors = Int(words[3]), let devices = Int(words[4]) else { fail("how many?") }
    writeTables(words[2], processors: processors, devices: devices)
default: fail("kernel FILE | acpi DIRECTORY PROCESSORS DEVICES")
}
