// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory

/// Virtio 1.2, 5.2.6
extension Block {
    private enum Request {
        static let (read, write, flush, identify): (UInt32, UInt32, UInt32, UInt32) = (0, 1, 4, 8)
        static let (discard, writeZeroes): (UInt32, UInt32) = (11, 13)
    }

    private enum Status: UInt8 {
        case ok = 0
        case ioError = 1
        case unsupported = 2
    }

    /// Does a request. Returns how many bytes of its writable part count as written, the status among them.
    func run(_ chain: DescriptorChain, _ memory: GuestMemory) throws(VirtioError) -> Int {
        var (readable, writable) = (chain.readable, chain.writable)
        guard readable.count >= 16 else { throw .badRequest("has no header") }
        guard writable.count >= 1 else { throw .badRequest("has no room for its status") }
        let header = try readable.takeFirst(16).read(memory)
        let input = writable.takeFirst(writable.count - 1)
        let sector = header.little(8, as: UInt64.self)

        let status: Status
        var written = 0
        let kind = header.little(0, as: UInt32.self)
        switch kind {
        case Request.read:
            status = try transfer(input, sector) { (file, offset) throws(VirtioError) in
                try file.read(input, at: offset, memory)
            }
            // What an error left there doesn't count.
            written = status == .ok ? input.count : 0
        case Request.write:
            status =
                writableFile == nil
                ? .ioError
                : try transfer(readable, sector) { (file, offset) throws(VirtioError) in
                    try file.write(readable, at: offset, memory)
                }
        case Request.flush: status = disk.map { outcome($0.file.synchronize()) } ?? .ioError
        case Request.identify:
            // Padded with zeroes, of which there is none behind 20 bytes.
            let identifier = disk?.identifier ?? []
            let bytes = identifier + Array(repeating: 0, count: 20 - identifier.count)
            written = try input.write(bytes, memory)
            status = written == 20 ? .ok : .ioError
        case Request.discard: status = try eachSegment(readable, memory, isZeroing: false)
        case Request.writeZeroes: status = try eachSegment(readable, memory, isZeroing: true)
        default: status = .unsupported
        }
        count(kind, status, read: input.count, written: readable.count)
        _ = try writable.write([status.rawValue], memory)
        // The status is behind the input: it counts only if all of that was written.
        return written == input.count ? written + 1 : written
    }

    private func count(_ kind: UInt32, _ status: Status, read: Int, written: Int) {
        guard status == .ok else {
            done.errors += 1
            return
        }
        switch kind {
        case Request.read: (done.reads, done.bytesRead) = (done.reads + 1, done.bytesRead + UInt64(read))
        case Request.write: (done.writes, done.bytesWritten) = (done.writes + 1, done.bytesWritten + UInt64(written))
        case Request.flush: done.flushes += 1
        case Request.discard, Request.writeZeroes: done.discards += 1
        default: break
        }
    }

    private func transfer(
        _ data: GuestRanges, _ sector: UInt64, _ body: (HostFile, UInt64) throws(VirtioError) -> Result<Int, HostError>
    ) throws(VirtioError) -> Status {
        guard let file = disk?.file, UInt64(data.count) % Self.sectorSize == 0, has(sector, UInt64(data.count) / Self.sectorSize)
        else { return .ioError }
        guard case .success(let count) = try body(file, sector * Self.sectorSize), count == data.count else {
            return .ioError
        }
        return .ok
    }

    private var writableFile: HostFile? { disk.flatMap { $0.isReadOnly ? nil : $0.file } }

    private func has(_ sector: UInt64, _ count: UInt64) -> Bool { sector <= capacity && count <= capacity - sector }

    private func outcome(_ result: Result<Int, HostError>) -> Status {
        switch result {
        case .success: .ok
        case .failure(let error): error.errno == HostError.notSupported ? .unsupported : .ioError
        }
    }

    /// Discard and write zeroes: segments of 16 bytes each.
    private func eachSegment(_ data: GuestRanges, _ memory: GuestMemory, isZeroing: Bool) throws(VirtioError) -> Status
    {
        guard let file = writableFile else { return .ioError }
        guard data.count > 0, data.count % 16 == 0, data.count / 16 <= Int(Self.mostSegments) else { return .ioError }
        let bytes = try data.read(memory)
        for offset in stride(from: 0, to: bytes.count, by: 16) {
            let (sector, count) = (bytes.little(offset, as: UInt64.self), bytes.little(offset + 8, as: UInt32.self))
            let flags = bytes.little(offset + 12, as: UInt32.self)
            // Bit 0 is "unmap", which only zeroes may have; the others mean nothing yet.
            guard flags & ~(isZeroing ? 1 : 0) == 0 else { return .unsupported }
            guard count <= Self.mostSectors, has(sector, UInt64(count)) else { return .ioError }
            guard count > 0 else { continue }
            let (start, length) = (sector * Self.sectorSize, UInt64(count) * Self.sectorSize)
            let status =
                isZeroing && flags & 1 == 0
                ? outcome(file.writeZeroes(at: start, count: length))
                : outcome(file.punchHole(at: start, count: length))
            if isZeroing, status == .unsupported {
                // Zeroes have been promised, whatever the file system can do.
                guard case .success = file.writeZeroes(at: start, count: length) else { return .ioError }
            } else if status != .ok {
                return status
            }
        }
        return .ok
    }
}
