// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A date and a time of day in the Gregorian calendar, UTC. What a guest set may be no date at all: then it runs over into the next units.
public struct CivilTime: Equatable, Sendable {
    public var year: Int
    public var month: Int
    public var day: Int
    public var hour: Int
    public var minute: Int
    public var second: Int
    /// 0 is Sunday.
    public private(set) var weekday = 0

    /// Years outside of 1...9999 become the nearest of these.
    public init(secondsSince1970 seconds: Int64) {
        let bounded = Int(min(max(seconds, -62_135_596_800), 253_402_300_799))
        let days = (bounded >= 0 ? bounded : bounded - 86_399) / 86_400
        let rest = bounded - days * 86_400
        (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60)
        weekday = ((days + 4) % 7 + 7) % 7
        // Counted from 1 March of year 0, so that a leap day is the last of its year; 146,097 days are 400 years.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var secondsSince1970: Int64 {
        // Months that are none run over into years.
        let months = year * 12 + month - 1
        let (plainYear, plainMonth) = (months / 12, months % 12 + 1)
        let shiftedYear = plainMonth <= 2 ? plainYear - 1 : plainYear
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (plainMonth > 2 ? plainMonth - 3 : plainMonth + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        return Int64(days * 86_400 + hour * 3600 + minute * 60 + second)
    }
}
