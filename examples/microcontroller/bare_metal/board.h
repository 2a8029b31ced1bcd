/* What the program needs of a board. Here QEMU's: text and exit by Arm's semihosting, and a timer
 * of every Cortex-M. On a board of your own, change board.c. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define PAINT 0xa5a5a5a5u /* words of the stack that were never used */

/* Text to the host. */
void print(const char *text);

/* A number to the host, right-aligned. */
void print_number(uint32_t number, int width);

/* End with an exit status. */
void leave(int status);

void start_timer(void);

/* Instructions since `before`, which `timer` gave; wrong after 600 million. */
uint32_t timer(void);
uint32_t instructions_since(uint32_t before);

/* Bytes of code and tables, of variables, and of the stack as far as it was ever used. */
uint32_t flash_bytes(void);
uint32_t static_bytes(void);
uint32_t stack_bytes(void);

#endif
