// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The kernel modules that a device is made of.
struct ModuleSize {
    let device: BenchDevice
    let host: BenchHost

    /// As the kernel names them.
    static func names(_ path: String) -> [String] {
        switch path {
        case "/dev/kvm": ["kvm", "kvm_intel", "kvm_amd"]
        case "/dev/rust_kvm": ["likex"]
        default: []
        }
    }

    /// Bytes of the modules of these names that are loaded; nil where none is.
    ///
    /// - Parameter modules: /proc/modules, a line for each: name, bytes, users and more.
    static func loaded(_ names: [String], in modules: String) -> Int? {
        let sizes = modules.split(separator: "\n").compactMap { line -> Int? in
            let words = line.split(separator: " ")
            guard words.count >= 2, names.contains(String(words[0])) else { return nil }
            return Int(words[1])
        }
        return sizes.isEmpty ? nil : sizes.reduce(0, +)
    }

    /// Where the modules' files are, relative to the folder of /lib/modules.
    ///
    /// - Parameter dependencies: modules.dep, a line for each file: its path, a colon, those that it needs.
    static func files(_ names: [String], in dependencies: String) -> [String] {
        dependencies.split(separator: "\n").compactMap { line in
            guard let path = line.split(separator: ":").first, let file = path.split(separator: "/").last,
                let name = file.split(separator: ".").first
            else { return nil }
            return names.contains(String(name.replacing("-", with: "_"))) ? String(path) : nil
        }
    }

    func measure() -> [Measurement] {
        let names = Self.names(device.path)
        let title = "module size in the kernel"
        guard let modules = host.read("/proc/modules"), let size = Self.loaded(names, in: modules) else {
            return [Measurement("module", title, .bytes, unsupported: "no module of \(device.path) is loaded")]
        }
        let loaded = names.filter { Self.loaded([$0], in: modules) != nil }
        return [Measurement("module", title, .bytes, [Double(size)])] + sections(loaded)
    }

    /// Of the modules' files, together.
    private func sections(_ names: [String]) -> [Measurement] {
        let folder = "/lib/modules/\(host.kernel)"
        let paths = host.read("\(folder)/modules.dep").map { Self.files(names, in: $0) } ?? []
        let images = paths.compactMap { host.bytes("\(folder)/\($0)") }.compactMap(ModuleImage.init)
        let rows: [(String, String, (ModuleImage) -> Int)] = [
            ("module-text", "of that, code", { $0.text }), ("module-read-only", "of that, constants", { $0.readOnly }),
            ("module-data", "of that, data", { $0.data }),
        ]
        return rows.map { name, title, part in
            guard images.count == names.count else {
                return Measurement(
                    name, title, .bytes,
                    unsupported:
                        "not all of \(names.joined(separator: " ")) can be read below \(folder): missing or compressed")
            }
            return Measurement(name, title, .bytes, [Double(images.map(part).reduce(0, +))])
        }
    }
}
