/* The board as QEMU has it; see board.h. */

#include "board.h"

extern uint32_t _text[], _data[], _data_end[], _data_load[], _bss[], _bss_end[], _stack_end[];

/* Arm's semihosting: the host does what the number of an operation says. */
static void ask_host(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void print(const char *text)
{
    ask_host(0x04, text);
}

void print_number(uint32_t number, int width)
{
    char text[12];
    int place = 11;
    text[place] = '\0';
    do {
        text[--place] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (place > 0 && 11 - place < width) text[--place] = ' ';
    print(text + place);
}

void leave(int status)
{
    const uint32_t exit[2] = {0x20026, (uint32_t)status};
    ask_host(0x20, exit);
    for (;;) {
    }
}

/* The SysTick timer counts down at 25 MHz. QEMU is told that an instruction takes 1 ns, so that a
 * tick is 40 instructions. On a chip it counts cycles of the processor: multiply by 1. */
#define SYSTICK ((volatile uint32_t *)0xe000e010u)
#define INSTRUCTIONS_PER_TICK 40u

void start_timer(void)
{
    SYSTICK[1] = 0xffffffu;
    SYSTICK[2] = 0;
    SYSTICK[0] = 5;
}

uint32_t timer(void)
{
    return SYSTICK[2];
}

uint32_t instructions_since(uint32_t before)
{
    return ((before - timer()) & 0xffffffu) * INSTRUCTIONS_PER_TICK;
}

uint32_t flash_bytes(void)
{
    return (uint32_t)((const char *)_data_load - (const char *)_text) +
           (uint32_t)((const char *)_data_end - (const char *)_data);
}

uint32_t static_bytes(void)
{
    return (uint32_t)((const char *)_bss_end - (const char *)_data);
}

uint32_t stack_bytes(void)
{
    const uint32_t *word = _bss_end;
    while (word < _stack_end && *word == PAINT) ++word;
    return (uint32_t)((const char *)_stack_end - (const char *)word);
}
