// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import TestMachine
import Testing

@Suite("guests.json")
struct GuestTableTests {
    private func table(_ json: String) throws(MachineError) -> GuestTable {
        try GuestTable(json: Array(json.utf8), path: "g.json")
    }

    @Test("everything an entry can have")
    func full() throws {
        let guest = try #require(
            try table(
                """
                {"guests": [{"name": "x", "about": "y", "mode": "long64", "load": "0x10000", "entry": "0x10010",
                  "pagetables": "0x20000", "registers": {"rax": "0x2", "r15": 7}, "requires": ["avx"], "timeout": 1.5,
                  "exit_limit": 10, "memory": [{"slot": 3, "base": "0x200000", "size": "0x4000", "readonly": true, "fill": "0x11"}],
                  "expect": {"end": "status", "status": 3, "output": "4\\n", "registers": {"cr2": "0xff"}, "exits": {"io": 2}}}]}
                """)["x"])
        #expect(guest.mode == .long64)
        #expect(guest.load == GuestAddress(0x10000))
        #expect(guest.entry == GuestAddress(0x10010))
        #expect(guest.pageTables == GuestAddress(0x20000))
        #expect(guest.registers == [.rax: 2, .r15: 7])
        #expect(guest.requires == ["avx"])
        #expect(guest.exitLimit == 10)
        #expect(guest.timeout == 1.5)
        #expect(
            guest.memory == [
                Guest.Memory(slot: 3, base: GuestAddress(0x200000), size: 0x4000, isReadOnly: true, fill: 0x11)
            ])
        #expect(guest.expectation?.end == "status")
        #expect(guest.expectation?.status == 3)
        #expect(guest.expectation?.output == "4\n")
        #expect(guest.expectation?.registers == [.cr2: 0xff])
        #expect(guest.expectation?.exits == ["io": 2])
    }

    @Test("only the name is needed")
    func short() throws {
        let guest = try #require(try table(#"{"guests": [{"name": "x"}]}"#)["x"])
        #expect(guest == Guest(name: "x"))
        #expect(try table(#"{"guests": []}"#)["x"] == nil)
    }

    @Test(
        "what is wrong is said with its place",
        arguments: [
            (
                #"{"guests": [{"name": "x", "mode": "real8"}]}"#,
                "guest x: mode \"real8\" is none of real16, protected32, long64"
            ),
            (#"{"guests": [{"name": "x", "registers": {"cr3": 1}}]}"#, "guest x: register \"cr3\" is none of: rax"),
            (
                #"{"guests": [{"name": "x", "requires": ["magic"]}]}"#,
                "guest x: it requires \"magic\", which is none of"
            ),
            (#"{"guests": [{"name": "x", "load": "0xzz"}]}"#, "guests.[0].load: not a number"),
            (#"{"guests": [{"name": "x", "load": -1}]}"#, "guests.[0].load: not a number"),
            (#"{"guests": [{"name": "x", "lod": 1}]}"#, "guests.[0]: \"lod\" is none of: name"),
            (#"{"guests": [{"about": "x"}]}"#, "guests.[0]: \"name\" is missing"),
            (#"{"guests": [{"name": "x", "expect": {}}]}"#, "guests.[0].expect: \"end\" is missing"),
            (#"{"guests": [{"name": "x"}, {"name": "x"}]}"#, "two guests are named x"),
            (
                #"{"guests": [{"name": "x", "memory": [{"slot": 1, "base": 0}]}]}"#,
                "guests.[0].memory.[0]: \"size\" is missing"
            ),
            (
                #"{"guests": [{"name": "x", "memory": [{"slot": 1, "base": 0, "size": 4096, "fill": 256}]}]}"#,
                "guest x: slot 1: the fill must be one byte"
            ),
            ("{", "is not JSON"),
        ])
    func wrong(_ json: String, _ message: String) {
        let error = #expect(throws: MachineError.self) { try table(json) }
        #expect(error?.description.hasPrefix("g.json: \(message)") == true, "\(error?.description ?? "no error")")
    }
}
