/* What runs before `main` on a Cortex-M: memory is filled, and the stack painted to be measured. */

#include "board.h"

extern uint32_t _data[], _data_end[], _data_load[], _bss[], _bss_end[], _stack_end[];

int main(void);

void reset_handler(void)
{
    uint32_t *to = _data, *word;
    const uint32_t *from = _data_load;
    while (to < _data_end) *to++ = *from++;
    for (to = _bss; to < _bss_end;) *to++ = 0;
    for (word = _bss_end; word < (uint32_t *)__builtin_frame_address(0) - 16;) *word++ = PAINT;
    leave(main());
}

void fault_handler(void)
{
    print("fault\n");
    leave(3);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    _stack_end,          (const void *)reset_handler, (const void *)fault_handler,
    (const void *)fault_handler, (const void *)fault_handler, (const void *)fault_handler,
    (const void *)fault_handler,
};
