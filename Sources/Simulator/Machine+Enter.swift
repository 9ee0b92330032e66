// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CLikexHW
import Glibc
import KVMABI
import Synchronization
import VMXSim
import X86

/// From VM entry to the next VM exit.
extension Machine {
    /// Instructions between two looks at whether someone wants the guest outside.
    private static let slice: UInt64 = 20_000

    /// VMLAUNCH or VMRESUME, and the guest until it exits. True where the instruction itself failed.
    func enterGuest(_ regs: UnsafeMutablePointer<lkx_regs>, launched: Bool) -> Bool {
        guard let vmcs = vmx.current else { return true }
        switch vmx.enter(launch: !launched, msrs: &msrs) {
        case .refused(let result):
            let reasons = vmx.refusals.map(\.description).joined(separator: "; ")
            warn("VM entry failed, \(result): \(reasons)")
            return true
        case .failed: return false
        case .entered(let state, let event):
            cpu.load(state)
            let general = unsafe UnsafeMutableRawPointer(regs).assumingMemoryBound(to: UInt64.self)
            for number in 0..<16 where number != Register.rsp { cpu.registers[number] = unsafe general[number] }
            configure(vmcs)
            bus.enter(vmcs)
            forgetTranslations()
            let debugControl = state.debugControl
            // Without the control nothing looks at it.
            let timer = PreemptionTimer(
                value: vmcs[.preemptionTimerValue], timeStamp: bus.ticks, vmx.capabilities)
            let exit = runGuest(vmcs, event, timer)
            for number in 0..<16 where number != Register.rsp { unsafe general[number] = cpu.registers[number] }
            let left = timer.value(at: bus.ticks)
            guard vmx.exit(exit, cpu.guestState(debugControl: debugControl), timer: left, msrs: &msrs) else {
                preconditionFailure("VMX abort: an MSR of a VM exit's areas can't be stored or loaded")
            }
            cpu.debugRegisters[7] = 0x400
            return false
        }
    }

    /// What the interpreter has to stop for with these controls.
    private func configure(_ vmcs: VMCS) {
        var points: InterceptSet = [
            InterceptSet(
                .cpuid, .input, .output, .readMSR, .writeMSR, .writeCR, .readCR, .clts, .lmsw, .smsw, .invpcid, .rdtscp,
                .vmx, .xsetbv, .invd, .taskSwitch)
        ]
        if vmcs.has(ProcControl.hltExiting) { points.insert(InterceptSet(.hlt)) }
        if vmcs.has(ProcControl.invlpgExiting) { points.insert(InterceptSet(.invlpg)) }
        if vmcs.has(ProcControl.mwaitExiting) { points.insert(InterceptSet(.mwait)) }
        if vmcs.has(ProcControl.monitorExiting) { points.insert(InterceptSet(.monitor)) }
        if vmcs.has(ProcControl.rdpmcExiting) { points.insert(InterceptSet(.rdpmc)) }
        if vmcs.has(ProcControl.rdtscExiting) { points.insert(InterceptSet(.rdtsc)) }
        if vmcs.has(ProcControl.movDrExiting) { points.insert(InterceptSet(.writeDR, .readDR)) }
        if vmcs.has(ProcControl.pauseExiting) { points.insert(InterceptSet(.pause)) }
        if vmcs.has(Proc2Control.wbinvdExiting) { points.insert(InterceptSet(.wbinvd)) }
        if vmcs.has(Proc2Control.rdrandExiting) { points.insert(InterceptSet(.rdrand)) }
        if vmcs.has(Proc2Control.rdseedExiting) { points.insert(InterceptSet(.rdseed)) }
        if vmcs.has(Proc2Control.descriptorTableExiting) {
            points.insert(InterceptSet(.descriptorTable, .taskRegister))
        }
        cpu.intercepts = points
        var exceptions = UInt32(truncatingIfNeeded: vmcs[.exceptionBitmap])
        // #PF exits by its error code: ask each time unless the answer is always the same.
        if vmcs[.pageFaultErrorCodeMask] != 0 || vmcs[.pageFaultErrorCodeMatch] != 0 { exceptions |= 1 << 14 }
        cpu.interceptedExceptions = exceptions
    }

    /// Tells the interpreter's TLB what invalidations have ended since it was last told.
    private func forgetTranslations() {
        for what in vmx.caches.takeForgotten() {
            switch what {
            case .context(let context) where context == translationContext: cpu.translations.forgetAll()
            case .contextKeepingGlobals(let context) where context == translationContext:
                cpu.translations.forget { _, _, _, isGlobal in !isGlobal }
            case .address(let context, let linear) where context == translationContext:
                cpu.translations.forget(linear: linear)
            default: break
            }
        }
        // The interpreter keeps translations of one context only.
        if vmx.caches.context != translationContext {
            cpu.translations.forgetAll()
            translationContext = vmx.caches.context
        }
    }

    private func runGuest(_ vmcs: VMCS, _ event: Injection?, _ timer: PreemptionTimer) -> VMExit {
        if let event, let exit = inject(vmcs, event) { return exit }
        let watches =
            vmcs.has(ProcControl.interruptWindowExiting) || vmcs.has(ProcControl.nmiWindowExiting)
        let isTimed = vmcs.has(PinControl.preemptionTimer)
        let apic = VirtualAPIC(vmcs, vmx.memory)
        // Who has the processor gets something done before it gives way to other threads.
        var mayGiveWay = false
        while true {
            fireTimers()
            let isWanted = isWanted || mayGiveWay && lock.isWanted
            mayGiveWay = true
            let isExpired = isTimed && timer.value(at: bus.ticks) == 0
            if let exit = boundaryExit(vmcs, apic, isWanted: isWanted, timerExpired: isExpired) { return exit }
            let slice = isTimed ? min(Self.slice, max(timer.remaining(at: bus.ticks), 1)) : Self.slice
            let end = min(deadline, nextEvent)
            let left = end > bus.ticks ? end - bus.ticks : 1
            let (retired, steps) = (cpu.retired, cpu.steps)
            let isWatched = watches || apic?.isPending == true
            let outcome = cpu.run(limit: isWatched ? 1 : min(slice, left))
            // Not by instructions alone: a guest whose handlers fault retires none, and its clock must go on.
            bus.ticks &+= max(cpu.retired &- retired, cpu.steps &- steps)
            if outcome == .halted { usleep(100) }
            if let exit = settle(vmcs, outcome) { return exit }
        }
    }

    /// What comes between two instructions, until it is a VM exit or there is no more of it.
    private func boundaryExit(_ vmcs: VMCS, _ apic: VirtualAPIC?, isWanted: Bool, timerExpired: Bool) -> VMExit? {
        while true {
            // Debug traps of the last instruction come first. SDM vol. 3, table 7-2.
            if cpu.pendingDebug != 0, cpu.interruptShadow != .stackSegment { return nil }
            let state: UInt64 =
                (cpu.interruptShadow == .stackSegment ? 2 : cpu.interruptShadow == .sti ? 1 : 0) | (cpu.blocksNMI ? 8 : 0)
            let action = vmcs.boundaryAction(
                BoundaryEvents(
                    externalInterrupt: interruptVector(isWanted: isWanted), timerExpired: timerExpired,
                    virtualInterrupt: apic?.isPending ?? false),
                interruptFlag: cpu.flags & Flag.interrupt != 0, interruptibility: state)
            switch action {
            case nil: return nil
            case .exit(let reason): return VMExit(reason)
            case .exitAcknowledged(let vector):
                var exit = VMExit(.externalInterrupt)
                exit.event = Injection(vector: vector, kind: .externalInterrupt)
                return exit
            case .virtualInterrupt:
                guard let vector = apic?.deliver() else { return nil }
                if let exit = settle(vmcs, cpu.deliver(Delivery(vector: vector, kind: .externalInterrupt))) { return exit }
            case .postedInterrupts:
                notified.store(false, ordering: .releasing)
                apic?.takePosted()
            }
        }
    }

    /// The host's interrupt that waits, in Linux's numbers: the highest comes first.
    private func interruptVector(isWanted: Bool) -> UInt8? {
        if kicked.load(ordering: .acquiring) { return 0xFD }
        if notified.load(ordering: .acquiring) { return UInt8(PLAT_NOTIFICATION_VECTOR) }
        return isWanted ? 0xEC : nil
    }

    /// Delivers what VM entry injects. SDM vol. 3, 27.6.
    private func inject(_ vmcs: VMCS, _ event: Injection) -> VMExit? {
        guard let kind = Delivery.Kind(rawValue: event.kind.rawValue) else { return nil }
        // Injection leaves CR2, DR6 and DR7 alone: they are the hypervisor's to set.
        let (cr2, dr6, dr7, fault) = (cpu.cr2, cpu.debugRegisters[6], cpu.debugRegisters[7], cpu.faultAddress)
        let outcome = cpu.deliver(
            Delivery(vector: event.vector, kind: kind, errorCode: event.errorCode, length: event.length))
        if event.kind == .hardwareException {
            if event.vector == 14, cpu.faultAddress == fault { cpu.cr2 = cr2 }
            if event.vector == 1 {
                cpu.debugRegisters[6] = dr6
                cpu.debugRegisters[7] = dr7
            }
        }
        return settle(vmcs, outcome)
    }

    /// The VM exit that an outcome of the interpreter's is, after whatever can be done without one.
    private func settle(_ vmcs: VMCS, _ first: Outcome) -> VMExit? {
        var outcome = first
        while true {
            switch outcome {
            case .retired, .halted: return nil
            case .tripleFault: return VMExit(.tripleFault)
            case .refused:
                guard var exit = bus.takePending() else {
                    preconditionFailure("an access was refused without a reason")
                }
                exit.vectoring = vectoring()
                // RF stays as it was, as on the lab's processor; only an event that was being delivered has set it.
                return exit
            case .exception(let exception):
                if vmcs.exits(exception: exception.vector, errorCode: exception.errorCode) { return exit(exception) }
                if exception.vector == ProcessorException.pageFault { cpu.cr2 = cpu.faultAddress }
                cpu.flags |= resumeFlag(exception)
                outcome = cpu.deliver(
                    Delivery(vector: exception.vector, kind: .exception, errorCode: exception.errorCode))
            case .intercepted(let point):
                switch decide(vmcs, point) {
                case .exit(let exit):
                    // Not that of an event which a task switch delivers.
                    if point != .taskSwitch { cpu.flags &= ~Flag.resume }
                    return exit
                case .execute: outcome = cpu.stepThroughIntercepts()
                case .done(let next): outcome = next
                }
            }
        }
    }

    /// The event that was being delivered, for IDT-vectoring information.
    private func vectoring() -> Injection? {
        guard let event = cpu.delivering, let kind = Injection.Kind(rawValue: event.kind.rawValue) else { return nil }
        return Injection(vector: event.vector, kind: kind, errorCode: event.errorCode, length: event.length)
    }

    /// RF in the image of RFLAGS that an exception would push, which an exit saves. SDM vol. 3, 27.3.3.
    private func resumeFlag(_ exception: ProcessorException) -> UInt64 {
        cpu.pushesResume(Delivery(vector: exception.vector, kind: .exception)) ? Flag.resume : 0
    }

    private func exit(_ exception: ProcessorException) -> VMExit {
        var exit = VMExit(.exceptionNmi)
        var event = Injection(vector: exception.vector, kind: .hardwareException, errorCode: exception.errorCode)
        let delivering = vectoring()
        if let delivering, delivering.isSoftware, delivering.vector == exception.vector {
            // INT3, INTO or INT1 themselves, not something met on the way.
            event.kind = delivering.kind
            exit.instructionLength = delivering.length
        } else {
            if exception.vector != 3 && exception.vector != 4 { cpu.flags |= resumeFlag(exception) }
            exit.vectoring = delivering
            if exception.vector == 3 || exception.vector == 4 { event.kind = .softwareException }
        }
        exit.event = event
        switch exception.vector {
        case ProcessorException.pageFault:
            exit.qualification = cpu.faultAddress
        case ProcessorException.debug: exit.qualification = cpu.debugFault
        default: break
        }
        return exit
    }
}
