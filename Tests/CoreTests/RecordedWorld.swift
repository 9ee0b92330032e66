// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// A world whose every page-table write is judged: after each, a walk gives for each guest frame what it gave before
/// the operation, what it gives after it, or, where these differ, nothing; and all that `History` asks for.
final class RecordedWorld {
    let world: World
    private(set) var history = History()
    private var replayed: UInt64 = 0
    /// A fault was met: what would follow is no news.
    private var isBroken = false

    init(accessDirty: Bool = true, pml: Bool = false) {
        world = World(accessDirty: accessDirty, recorded: true, pml: pml)
        do throws(History.Fault) {
            _ = try history.replay(event(0))
            try history.setRoot(UInt64(UInt(bitPattern: world.vm.pointee.ept.root)))
        } catch {
            Issue.record("\(error)")
        }
        replayed = 1
    }

    private func event(_ number: UInt64) -> history_event { world.w.pointee.history.event[Int(number)] }

    /// The end of an operation within another one: what walks give there is right, too.
    func mark() {
        history_add(
            world.w.pointer(to: \.history)!,
            history_event(kind: HISTORY_MARK, cpu: 0, page: 0, index: 0, locked: false, from: 0, to: 0))
    }

    /// How many states walks could meet on the way.
    @discardableResult
    func operation(_ name: String, _ body: () -> Void) -> Int {
        let (states, before) = (history.states, history.tree.visible)
        body()
        if isBroken { return 0 }
        var changes: [History.Change] = []
        var right = [before]
        do throws(History.Fault) {
            while replayed < world.w.pointee.history.count {
                let event = event(replayed)
                if event.kind == HISTORY_MARK { right.append(history.tree.visible) }
                changes += try history.replay(event, number: Int(replayed))
                replayed += 1
            }
        } catch {
            Issue.record("\(name), event \(replayed): \(error)")
            isBroken = true
            return history.states - states
        }
        right.append(history.tree.visible)
        for change in changes { judge(change, right.map { $0[change.gfn] }, name) }
        compareWithMemory(name)
        for (gfn, now) in history.tree.visible where world.w.pointee.free[Int(now.frame)] {
            Issue.record("\(name): guest frame \(hex(gfn)) leads to frame \(hex(now.frame)), which the host has taken back")
        }
        return history.states - states
    }

    private func judge(_ change: History.Change, _ right: [History.Translation?], _ name: String) {
        if right.contains(change.now) { return }
        // While it changes it may be away; what doesn't change never is.
        if change.now == nil && right.contains(where: { $0 != right[0] }) { return }
        let now = String(describing: change.now)
        Issue.record("\(name), event \(change.event): frame \(hex(change.gfn)): \(now), right: \(right)")
    }

    /// What was written and what is there must be one: else something was written past the hooks.
    private func compareWithMemory(_ name: String) {
        for (address, page) in history.tree.pages where page.place != nil {
            let memory = UnsafePointer<UInt64>(bitPattern: UInt(address))!
            for (index, entry) in page.entries.enumerated()
            where (memory[index] ^ entry) & ~TableTree.processorBits != 0 {
                Issue.record(
                    "\(name): entry \(index) of \(hex(address)) is \(hex(memory[index])), written was \(hex(entry))")
            }
        }
    }

    // MARK: interleaving

    private final class Script {
        var body: (UInt32) -> Void
        init(_ body: @escaping (UInt32) -> Void) { self.body = body }
    }
    private var script: Script?

    /// Calls `body` whenever ept.lock was given up, with how often it was before.
    func atUnlock(_ body: @escaping (UInt32) -> Void) {
        let script = Script(body)
        self.script = script
        world.w.pointee.unlocks = 0
        world.w.pointee.at_unlock_context = Unmanaged.passUnretained(script).toOpaque()
        world.w.pointee.at_unlock = { context, nth in
            Unmanaged<Script>.fromOpaque(context!).takeUnretainedValue().body(nth)
        }
    }

    func noScript() {
        world.w.pointee.at_unlock = nil
        script = nil
    }

    func visible(_ gfn: UInt64) -> History.Translation? { history.tree.visible[gfn] }
}
