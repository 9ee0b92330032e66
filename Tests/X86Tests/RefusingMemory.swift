// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// RAM from address 0, and a refusal of everything else.
@safe final class RefusingMemory: MemoryBus {
    let ram: FlatMemory
    init(size: Int) { ram = FlatMemory(size: size) }

    func page(_ request: PageRequest) -> PageAnswer {
        if case .memory(let host, let allowed) = ram.page(request) {
            return unsafe .memory(host: host, allowed: allowed)
        }
        return .refused
    }
}
