// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXSim

/// SDM vol. 3, 27.2.2 to 27.2.4.
package enum HostCases {
    package static let registers: [EntryCase] = [
        no(.long64, .hostCr0, 0x8005_0013, .hostCR0),
        no(.long64, .hostCr0, 0x0005_0033, .hostCR0),
        no(.long64, .hostCr0, 0x8005_0032, .hostCR0),
        no(.long64, .hostCr0, 0x1_8005_0033, .hostCR0),
        no(.long64, .hostCr4, 0x06F8, .hostCR4),
        no(.long64, .hostCr4, 0x40_2020, .hostCR4),
        no(.long64, .hostCr4, 0x2000, .hostPAE),
        no(.long64, .hostCr3, 1 << 40, .hostCR3),
        no(.long64, .hostSysenterEsp, 1 << 47, .hostSysenter),
        no(.long64, .hostSysenterEip, 0x8000_0000_0000_0000, .hostSysenter),
        no2(
            .long64, .exitControls, 0x3F_7FFF, .hostIa32PerfGlobalCtrl, 0x10, .hostPerfGlobalControl),
        no2(.long64, .exitControls, 0x3F_7FFF, .hostIa32PerfGlobalCtrl, 0x7_0000_000F),
        no(.long64, .hostIa32Pat, 2, .hostPAT),
        no(.long64, .hostIa32Pat, 0x0800_0000_0000_0000, .hostPAT),
        no2(.long64, .exitControls, 0x37_6FFF, .hostIa32Pat, 2),
        no(.long64, .hostIa32Efer, 0xD03, .hostEFER),
        no(.long64, .hostIa32Efer, 0x901, .hostEFERMode),
        no(.long64, .hostIa32Efer, 0xC01, .hostEFERMode),
        no2(.long64, .exitControls, 0x1F_6FFF, .hostIa32Efer, 0),
        no(.long64, .hostCsSelector, 0x13, .hostSelector),
        no(.long64, .hostCsSelector, 0, .hostNullSelector),
        no(.long64, .hostSsSelector, 0x1C, .hostSelector),
        no(.long64, .hostSsSelector, 0),
        no(.long64, .hostDsSelector, 1, .hostSelector),
        no(.long64, .hostEsSelector, 2, .hostSelector),
        no(.long64, .hostFsSelector, 3, .hostSelector),
        no(.long64, .hostGsSelector, 4, .hostSelector),
        no(.long64, .hostTrSelector, 0x44, .hostSelector),
        no(.long64, .hostTrSelector, 0, .hostNullSelector),
        no(.long64, .hostFsBase, 1 << 47, .hostBase),
        no(.long64, .hostGsBase, 1 << 63, .hostBase),
        no(.long64, .hostGdtrBase, 0x00FF_0000_0000_0000, .hostBase),
        no(.long64, .hostIdtrBase, 1 << 48, .hostBase),
        no(.long64, .hostTrBase, 1 << 50, .hostBase),
        no2(.long64, .exitControls, 0x1F_6DFF, .hostRip, 0x1000, .hostNot64Bit),
        no(.long64, .exitControls, 0x3F_6DFF, .hostEFERMode, .hostNot64Bit),
        no(.long64, .hostRip, 1 << 47, .hostRIP),
    ]
}
