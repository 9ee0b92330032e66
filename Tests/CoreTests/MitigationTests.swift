// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import Testing

/// When the L1 data cache is flushed before a guest is entered.
@Suite struct MitigationTests {
    @Test func theParametersNames() {
        #expect(lkx_mitigations_parse("auto") == LKX_MITIGATIONS_AUTO && lkx_mitigations_parse("full") == LKX_MITIGATIONS_FULL)
        #expect(lkx_mitigations_parse("off") == LKX_MITIGATIONS_OFF)
        for text in ["", "au", "autos", "Full", "0", "off "] {
            #expect(lkx_mitigations_parse(text) == LKX_MITIGATIONS_UNKNOWN, "\(text)")
        }
    }

    @Test func theHostsWayUnlessToldOtherwise() {
        for host in [LKX_L1D_NEVER, LKX_L1D_CONDITIONAL, LKX_L1D_ALWAYS] {
            #expect(lkx_l1d_flush_choose(LKX_MITIGATIONS_AUTO, true, true, host) == host)
            #expect(lkx_l1d_flush_choose(LKX_MITIGATIONS_FULL, true, true, host) == LKX_L1D_ALWAYS)
            #expect(lkx_l1d_flush_choose(LKX_MITIGATIONS_OFF, true, true, host) == LKX_L1D_NEVER)
            for m in [LKX_MITIGATIONS_AUTO, LKX_MITIGATIONS_FULL] {
                #expect(lkx_l1d_flush_choose(m, false, true, host) == LKX_L1D_NEVER)
                #expect(lkx_l1d_flush_choose(m, true, false, host) == LKX_L1D_NEVER)
            }
        }
    }

    /// Whatever is not on the list of the harmless flushes: faults, I/O, what is unknown.
    @Test func onlyKnownExitsNeedNoFlush() {
        let harmless: Set<UInt32> = [1, 7, 8, 10, 13, 14, 15, 16, 18, 29, 31, 32, 36, 39, 40, 51, 52, 54, 55]
        for reason in 0..<0x200 as Range<UInt32> {
            #expect(lkx_exit_touches_host(reason) == !harmless.contains(reason), "\(reason)")
        }
        #expect(lkx_exit_touches_host(0x8000_000a) && lkx_exit_touches_host(~0))
    }
}
