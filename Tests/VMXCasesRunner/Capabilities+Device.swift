// SPDX-License-Identifier: MIT OR GPL-2.0-only
import VMXSim

extension Capabilities {
    /// The capabilities of the processor at hand, so that the model judges the same one. An MSR that it hasn't is 0.
    init(_ device: Device) throws(Problem) {
        self = .skylakeX
        name = "this processor"
        featureControl = try device.msr(0x3A) ?? 0
        basic = try device.msr(0x480) ?? 0
        pin = try device.msr(0x481) ?? 0
        proc = try device.msr(0x482) ?? 0
        exit = try device.msr(0x483) ?? 0
        entry = try device.msr(0x484) ?? 0
        misc = try device.msr(0x485) ?? 0
        cr0Fixed0 = try device.msr(0x486) ?? 0
        cr0Fixed1 = try device.msr(0x487) ?? 0
        cr4Fixed0 = try device.msr(0x488) ?? 0
        cr4Fixed1 = try device.msr(0x489) ?? 0
        proc2 = try device.msr(0x48B) ?? 0
        eptVPID = try device.msr(0x48C) ?? 0
        truePin = try device.msr(0x48D) ?? pin
        trueProc = try device.msr(0x48E) ?? proc
        trueExit = try device.msr(0x48F) ?? exit
        trueEntry = try device.msr(0x490) ?? entry
        vmFunctions = try device.msr(0x491) ?? 0
        physicalAddressBits = device.physicalAddressBits
    }
}
