// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The 128 bits of an XMM register, seen as lanes.
typealias Vector = SIMD2<UInt64>

extension SIMD2<UInt64> {
    var bytes: SIMD16<UInt8> {
        get { unsafe unsafeBitCast(self, to: SIMD16<UInt8>.self) }
        set { self = unsafe unsafeBitCast(newValue, to: Self.self) }
    }
    var words: SIMD8<UInt16> {
        get { unsafe unsafeBitCast(self, to: SIMD8<UInt16>.self) }
        set { self = unsafe unsafeBitCast(newValue, to: Self.self) }
    }
    var doublewords: SIMD4<UInt32> {
        get { unsafe unsafeBitCast(self, to: SIMD4<UInt32>.self) }
        set { self = unsafe unsafeBitCast(newValue, to: Self.self) }
    }
    init(bytes: SIMD16<UInt8>) { self = unsafe unsafeBitCast(bytes, to: Self.self) }
    init(words: SIMD8<UInt16>) { self = unsafe unsafeBitCast(words, to: Self.self) }
    init(doublewords: SIMD4<UInt32>) { self = unsafe unsafeBitCast(doublewords, to: Self.self) }

    /// Applies a function to the lanes of two vectors.
    static func bytewise(_ a: Self, _ b: Self, _ function: (UInt8, UInt8) -> UInt8) -> Self {
        var result = SIMD16<UInt8>()
        for lane in 0..<16 { result[lane] = function(a.bytes[lane], b.bytes[lane]) }
        return Self(bytes: result)
    }
    static func wordwise(_ a: Self, _ b: Self, _ function: (UInt16, UInt16) -> UInt16) -> Self {
        var result = SIMD8<UInt16>()
        for lane in 0..<8 { result[lane] = function(a.words[lane], b.words[lane]) }
        return Self(words: result)
    }
    static func doublewise(_ a: Self, _ b: Self, _ function: (UInt32, UInt32) -> UInt32) -> Self {
        var result = SIMD4<UInt32>()
        for lane in 0..<4 { result[lane] = function(a.doublewords[lane], b.doublewords[lane]) }
        return Self(doublewords: result)
    }
    static func quadwise(_ a: Self, _ b: Self, _ function: (UInt64, UInt64) -> UInt64) -> Self {
        Self(function(a[0], b[0]), function(a[1], b[1]))
    }
}

