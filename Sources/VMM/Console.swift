// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Devices
import Glibc
import JSON

/// The guest's serial line, and its virtio console if it has one, on this process's standard input and output. On a terminal, Ctrl-A and x end the machine, Ctrl-A twice sends one.
/// Both write there; what is typed goes to the virtio console once the guest has a driver for it, and to the serial line before.
final class Console {
    private let loop: EventLoop
    private var serial: Serial?
    private var virtio: Devices.Console?
    /// Bytes, each way. Under the device's lock.
    private var (sent, received): (UInt64, UInt64) = (0, 0)
    /// Standard output has no room for what the virtio console sends.
    private var isWaitingForRoom = false
    private var lock: Lock?
    /// What was typed and the guest has not taken yet. Under the device's lock.
    private var typed: [UInt8] = []
    private var isEscaped = false
    private var isTerminal = false
    private var onEscape: (() -> Void)?
    /// Standard input is not read: there is as much in `typed` as may be.
    private var isFull = false
    private static let mostTyped = 1 << 16
    /// The terminal as it was; nil where there is none.
    private(set) var before: termios?
    /// The machine has ended: nobody waits for a terminal any longer.
    private let isOver: () -> Bool

    private static let escape = UInt8(ascii: "A") & 0x1F

    init(_ loop: EventLoop, isOver: @escaping () -> Bool) { (self.loop, self.isOver) = (loop, isOver) }

    /// - Parameter lock: that both are used under.
    func attach(_ serial: Serial, _ virtio: Devices.Console?, _ lock: Lock) {
        (self.serial, self.virtio, self.lock) = (serial, virtio, lock)
        serial.onInputRoom = { [unowned self] in offer() }
        virtio?.onInputRoom = { [unowned self] in offer() }
    }

    /// What went through, for metrics. Under the device's lock.
    var metrics: JSON { ["bytesFromGuest": JSON(sent), "bytesToGuest": JSON(received)] }

    /// The terminal has a size, or another one.
    func resize() {
        guard let virtio else { return }
        var (columns, rows): (UInt16, UInt16) = (0, 0)
        guard unsafe lkx_vmm_terminal_size(STDOUT_FILENO, &columns, &rows) == 0 else { return }
        lock?.withLock { virtio.resize(columns: columns, rows: rows) }
    }

    /// Bytes from the virtio console, under the device's lock: as many as there is room for. Nobody waits.
    func send(some bytes: [UInt8]) -> Int {
        var done = 0
        while done < bytes.count {
            var output = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
            guard unsafe poll(&output, 1, 0) != 0 else { break }
            // There is room for so many where there is any: a terminal's is the smallest.
            let part = Array(bytes[done..<min(bytes.count, done + 256)])
            let count = unsafe write(STDOUT_FILENO, part, part.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { break }
            // Nobody listens any more: it is lost.
            guard count > 0 else { return bytes.count }
            done += count
            sent += UInt64(count)
        }
        if done < bytes.count { waitForRoom() }
        return done
    }

    private func waitForRoom() {
        guard !isWaitingForRoom else { return }
        do throws(VMMError) {
            try loop.watch(STDOUT_FILENO, .output) { [unowned self] _ in
                loop.forget(STDOUT_FILENO)
                lock?.withLock {
                    isWaitingForRoom = false
                    virtio?.resumeOutput()
                }
            }
            isWaitingForRoom = true
        } catch {
            // What can't be waited for always has room.
        }
    }

    /// A byte from the guest. It waits for a slow terminal, and is lost where nobody listens any more.
    func send(_ byte: UInt8) -> Bool {
        var byte = byte
        sent += 1
        // The device lock is held here: a terminal that stands still (Ctrl-S) stops the guest, as a slow line would.
        while unsafe write(STDOUT_FILENO, &byte, 1) < 0, errno == EINTR || errno == EAGAIN, !isOver() {
            if errno == EAGAIN {
                var output = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&output, 1, -1)
            }
        }
        return true
    }

    /// Takes the terminal, if there is one, and listens to it.
    func start(onEscape: @escaping () -> Void) throws(VMMError) {
        let isTerminal = isatty(STDIN_FILENO) == 1
        if isTerminal {
            var settings = termios()
            guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { throw VMMError("the terminal", errno: errno) }
            before = settings
            unsafe cfmakeraw(&settings)
            // Programs before this one may still write lines.
            settings.c_oflag |= tcflag_t(OPOST)
            _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        }
        (self.isTerminal, self.onEscape) = (isTerminal, onEscape)
        listen()
        resize()
    }

    private func listen() {
        isFull = false
        do throws(VMMError) {
            try loop.watch(STDIN_FILENO, .input) { [unowned self] _ in receive() }
        } catch {
            // A file or /dev/null can't be waited for: there is no input then.
        }
    }

    /// Gives the terminal back as it was.
    func restore() {
        loop.forget(STDIN_FILENO)
        if var settings = before { _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &settings) }
        before = nil
    }

    private func receive() {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = unsafe read(STDIN_FILENO, &buffer, buffer.count)
        guard count > 0 else {
            if count == 0 { loop.forget(STDIN_FILENO) }
            return
        }
        lock?.withLock {
            for byte in buffer.prefix(count) where !isTerminal || isForGuest(byte) { typed.append(byte) }
            // Ctrl-A and x must come through whatever the guest does.
            if !isTerminal, typed.count >= Self.mostTyped {
                isFull = true
                loop.forget(STDIN_FILENO)
            }
            offer()
        }
    }

    private func isForGuest(_ byte: UInt8) -> Bool {
        guard isEscaped else {
            isEscaped = byte == Self.escape
            return !isEscaped
        }
        isEscaped = false
        if byte == UInt8(ascii: "x") { onEscape?() }
        return byte == Self.escape
    }

    private func offer() {
        guard !typed.isEmpty else { return }
        let taken = if let virtio, virtio.isActive { virtio.receive(typed) } else { serial?.receive(typed) ?? 0 }
        typed.removeFirst(taken)
        received += UInt64(taken)
        // A file or a pipe on standard input is read as fast as the guest reads.
        if isFull, typed.count < Self.mostTyped { listen() }
    }
}
