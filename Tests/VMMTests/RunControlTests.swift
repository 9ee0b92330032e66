// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import VMM

@Suite struct RunControlTests {
    @Test func theFirstEndCounts() {
        let control = RunControl()
        #expect(control.mayRun() && control.end == nil)
        #expect(control.end(.poweredOff) && !control.end(.crashed))
        #expect(control.end == .poweredOff && !control.mayRun())
        #expect(!control.setPaused(true))
    }

    @Test func aPausedMachineCanEnd() {
        let control = RunControl()
        #expect(control.setPaused(true) && !control.setPaused(true))
        #expect(control.end(.reset) && !control.mayRun())
    }

    @Test(arguments: [(MachineEnd.poweredOff, Int32(0)), (.reset, 0), (.stopped("x"), 0), (.failed("x"), 1), (.crashed, 3)])
    func status(end: MachineEnd, status: Int32) {
        #expect(end.status == status)
    }
}
