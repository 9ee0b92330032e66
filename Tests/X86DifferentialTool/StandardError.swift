// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

/// Writes text to standard error (write(2)).
func tell(_ text: String) {
    let bytes = Array(text.utf8)
    _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
}
