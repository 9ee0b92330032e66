// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
struct Compare: ParsableCommand { func run() throws {} }
