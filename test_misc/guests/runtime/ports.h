// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The test machine's ports, and what it answers to reads of any other port and of MMIO.
#ifndef PORTS_H
#define PORTS_H

#define PORT_OUTPUT    0x3f8
#define PORT_STATUS    0xf4
#define PORT_INTERRUPT 0xe0
#define PORT_NMI       0xe1

// Byte K of all bytes that the machine ever gave to IN.
#define IN_BYTE(K)  ((0xa0 + 7 * (K)) & 0xff)
#define IN_WORD(K)  (IN_BYTE(K) | IN_BYTE((K) + 1) << 8)
#define IN_LONG(K)  (IN_WORD(K) | IN_WORD((K) + 2) << 16)

// The byte that a load from guest-physical address G (without memory) gives.
#define MMIO_BYTE(G)  ((((G) ^ ((G) >> 8)) ^ 0x5a) & 0xff)
#define MMIO_WORD(G)  (MMIO_BYTE(G) | MMIO_BYTE((G) + 1) << 8)
#define MMIO_LONG(G)  (MMIO_WORD(G) | MMIO_WORD((G) + 2) << 16)
#define MMIO_QUAD(G)  (MMIO_LONG(G) | MMIO_LONG((G) + 4) << 32)

#endif
