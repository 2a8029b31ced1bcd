/* A spiking network on a microcontroller, without any runtime: images in, spike counts out.
 * net.h and net.c are what `keras-proxy-snn export --format c` writes; images.h is of prepare.py. */

#include "board.h"
#include "images.h"
#include "net.h"

static const char *const names[NET_CLASSES] = NET_CLASS_NAMES;
static net_state state;

/* One line an image; the number of counts that are not as on the desktop. */
static int show(int image, uint32_t instructions)
{
    int k, wrong = 0;
    print("image ");
    print_number((uint32_t)image, 3);
    print("  counts");
    for (k = 0; k < NET_CLASSES; ++k) {
        print_number(state.counts[k], 4);
        if (state.counts[k] != expected[image][k]) ++wrong;
    }
    print("  instructions ");
    print_number(instructions, 9);
    print("  class ");
    print(names[net_class(&state)]);
    print(wrong ? "  DIFFERS\n" : "\n");
    return wrong;
}

int main(void)
{
    int image, wrong = 0;
    uint32_t total = 0;
    start_timer();
    for (image = 0; image < IMAGES; ++image) {
        const uint32_t start = timer();
        uint32_t instructions;
        net_reset(&state, images[image]);
        instructions = instructions_since(start);
        while (1) { /* each step by itself, so that the timer never wraps unseen */
            const uint32_t before = timer();
            if (!net_step(&state)) break;
            instructions += instructions_since(before);
        }
        wrong += show(image, instructions);
        total += instructions / IMAGES;
    }
    print("flash bytes ");
    print_number(flash_bytes(), 0);
    print("\nRAM bytes ");
    print_number(static_bytes(), 0);
    print(" and stack ");
    print_number(stack_bytes(), 0);
    print("\ninstructions per image ");
    print_number(total, 0);
    print(wrong ? "\nCOUNTS DIFFER\n" : "\nevery count is as on the desktop\n");
    return wrong ? 2 : 0;
}
