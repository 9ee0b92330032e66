// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Virtio 1.2, 4.2.2
extension VirtioMMIO {
    private enum Register {
        static let (magic, version, deviceID, vendorID): (UInt64, UInt64, UInt64, UInt64) = (0x000, 0x004, 0x008, 0x00C)
        static let (deviceFeatures, deviceFeaturesSelect): (UInt64, UInt64) = (0x010, 0x014)
        static let (driverFeatures, driverFeaturesSelect): (UInt64, UInt64) = (0x020, 0x024)
        static let (queueSelect, queueSizeMax, queueSize): (UInt64, UInt64, UInt64) = (0x030, 0x034, 0x038)
        static let (queueReady, queueNotify): (UInt64, UInt64) = (0x044, 0x050)
        static let (interruptStatus, interruptACK, status): (UInt64, UInt64, UInt64) = (0x060, 0x064, 0x070)
        static let queueAddresses: ClosedRange<UInt64> = 0x080...0x0A4
        static let sharedMemory: ClosedRange<UInt64> = 0x0B0...0x0BC
        static let (generation, configuration): (UInt64, UInt64) = (0x0FC, 0x100)
    }

    public func read(offset: UInt64, size: Int) -> UInt64 {
        if offset >= Register.configuration { return readConfiguration(offset - Register.configuration, size) }
        // A register is read as a whole.
        guard size == 4, offset & 3 == 0 else { return 0 }
        return UInt64(readRegister(offset))
    }

    public func write(offset: UInt64, size: Int, value: UInt64) {
        if offset >= Register.configuration { return writeConfiguration(offset - Register.configuration, size, value) }
        guard size == 4, offset & 3 == 0 else { return }
        writeRegister(offset, UInt32(truncatingIfNeeded: value))
    }

    private func readRegister(_ offset: UInt64) -> UInt32 {
        switch offset {
        case Register.magic: return 0x7472_6976  // "virt"
        case Register.version: return 2
        case Register.deviceID: return device.deviceID
        case Register.vendorID: return 0x6558_694C  // "LiXe"
        case Register.deviceFeatures:
            return deviceFeaturesSelect > 1
                ? 0 : UInt32(truncatingIfNeeded: offered >> (32 * UInt64(deviceFeaturesSelect)))
        case Register.queueSizeMax: return selectedQueue.map { UInt32(device.queueSizes[$0]) } ?? 0
        case Register.queueReady: return selectedQueue.map { queues[$0].isReady ? 1 : 0 } ?? 0
        case Register.interruptStatus: return interruptStatus
        case Register.status: return UInt32(status)
        // There is no shared memory: all ones.
        case Register.sharedMemory: return .max
        case Register.generation: return generation
        default: return 0
        }
    }

    private func writeRegister(_ offset: UInt64, _ value: UInt32) {
        switch offset {
        case Register.deviceFeaturesSelect: deviceFeaturesSelect = value
        case Register.driverFeaturesSelect: driverFeaturesSelect = value
        case Register.driverFeatures: writeDriverFeatures(value)
        case Register.queueSelect: queueSelect = value
        case Register.queueSize: configureQueue { $0.size = value <= UInt32(UInt16.max) ? UInt16(value) : 0 }
        case Register.queueReady: setQueueReady(value != 0)
        case Register.queueNotify: notify(queue: Int(value))
        case Register.interruptACK: acknowledge(value)
        case Register.status: writeStatus(UInt8(truncatingIfNeeded: value))
        case Register.queueAddresses: writeQueueAddress(offset, value)
        default: break
        }
    }

    private func writeDriverFeatures(_ value: UInt32) {
        guard status & DeviceStatus.featuresOK == 0, driverFeaturesSelect <= 1 else { return }
        let shift = UInt64(driverFeaturesSelect) * 32
        driverFeatures = driverFeatures & ~(0xFFFF_FFFF << shift) | UInt64(value) << shift
    }

    // MARK: Queues

    private var selectedQueue: Int? {
        queueSelect < UInt32(queues.count) ? Int(queueSelect) : nil
    }

    /// Changes where a queue is: not while it is in use.
    private func configureQueue(_ change: (inout QueueLayout) -> Void) {
        guard let number = selectedQueue, !queues[number].isReady else { return }
        change(&queues[number].layout)
    }

    private func writeQueueAddress(_ offset: UInt64, _ value: UInt32) {
        let shift = offset & 4 == 0 ? UInt64(0) : 32
        func half(_ address: inout UInt64) { address = address & ~(0xFFFF_FFFF << shift) | UInt64(value) << shift }
        configureQueue { layout in
            switch offset & ~4 {
            case 0x080: half(&layout.descriptors)
            case 0x090: half(&layout.driver)
            case 0x0A0: half(&layout.device)
            default: break
            }
        }
    }

    private func setQueueReady(_ isReady: Bool) {
        guard let number = selectedQueue, isReady != queues[number].isReady else { return }
        guard isReady else {
            queues[number].isReady = false
            queues[number].ring = nil
            link?.disable(number)
            return
        }
        // The ring's kind is part of what is agreed on first.
        guard
            status & (DeviceStatus.featuresOK | DeviceStatus.driverOK | DeviceStatus.needsReset)
                == DeviceStatus.featuresOK
        else { return }
        guarded { () throws(VirtioError) in
            let layout = queues[number].layout
            guard layout.size <= device.queueSizes[number] else {
                throw .queueSize(queue: number, size: UInt32(layout.size))
            }
            queues[number].ring =
                driverFeatures & VirtioFeature.packedRing != 0
                ? try PackedQueue(layout, number: number, memory: memory, features: driverFeatures)
                : try SplitQueue(layout, number: number, memory: memory, features: driverFeatures)
            queues[number].isReady = true
        }
    }

    // MARK: Status

    private func writeStatus(_ value: UInt8) {
        guard value != 0 else { return reset() }
        guard status & DeviceStatus.needsReset == 0 else { return }
        let known =
            DeviceStatus.acknowledge | DeviceStatus.driver | DeviceStatus.driverOK | DeviceStatus.featuresOK
            | DeviceStatus.failed
        let wanted = value & known
        let new = wanted & ~status
        // Virtio 1.2, 2.1.1: a driver sets bits one after the other, and clears none but by a reset.
        let isInOrder =
            status & ~wanted == 0
            && (new & DeviceStatus.featuresOK == 0 || wanted & DeviceStatus.driver != 0)
            && (new & DeviceStatus.driverOK == 0 || status & DeviceStatus.featuresOK != 0)
        guard isInOrder else { return fail(.badStatus(from: status, to: value)) }
        // The driver has given up: nothing that comes with it begins.
        guard wanted & DeviceStatus.failed == 0 else {
            status |= DeviceStatus.failed
            return
        }
        status = wanted
        // A subset that the device can't work with is not accepted, which the driver sees as it reads the bit back.
        if new & DeviceStatus.featuresOK != 0,
            driverFeatures & ~offered != 0 || driverFeatures & VirtioFeature.version1 == 0
        {
            status &= ~DeviceStatus.featuresOK
        }
        if new & DeviceStatus.driverOK != 0 { activate() }
    }

    private func activate() {
        let link = DeviceLink(
            memory: memory, features: driverFeatures, queues: queues.map(\.ring), poller: poller, transport: self)
        self.link = link
        guarded { () throws(VirtioError) in try device.activate(link) }
        guard owesChange else { return }
        owesChange = false
        interrupt(.configuration)
    }

    // MARK: Configuration space

    private func readConfiguration(_ offset: UInt64, _ size: Int) -> UInt64 {
        let bytes = device.configuration
        var value: UInt64 = 0
        for index in 0..<UInt64(max(0, min(size, 8))) where offset &+ index < UInt64(bytes.count) {
            value |= UInt64(bytes[Int(offset &+ index)]) << (8 * index)
        }
        return value
    }

    private func writeConfiguration(_ offset: UInt64, _ size: Int, _ value: UInt64) {
        guard size > 0, size <= 8, offset <= UInt64(device.configuration.count),
            UInt64(device.configuration.count) - offset >= UInt64(size), status & DeviceStatus.needsReset == 0
        else { return }
        device.writeConfiguration(Int(offset), (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) })
    }
}
