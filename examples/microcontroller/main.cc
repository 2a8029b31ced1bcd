// A spiking network on a microcontroller: image in, spike counts out, by TensorFlow Lite Micro.
// model_data.h and model_data.c come from to_c_array.py.

#include <cstdint>

#include "model_data.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

// Memory for activations; `run_tflm.py --allocations` prints how much the network uses.
constexpr int kArenaSize = 300 * 1024;
alignas(16) uint8_t arena[kArenaSize];

// The operators of an integer network; with the others left out, the program is small.
using Resolver = tflite::MicroMutableOpResolver<7>;

bool AddOperators(Resolver& resolver) {
  return resolver.AddAdd() == kTfLiteOk && resolver.AddConv2D() == kTfLiteOk &&
         resolver.AddFullyConnected() == kTfLiteOk && resolver.AddMaxPool2D() == kTfLiteOk &&
         resolver.AddMul() == kTfLiteOk && resolver.AddRelu() == kTfLiteOk &&
         resolver.AddSub() == kTfLiteOk;
}

}  // namespace

int main() {
  tflite::InitializeTarget();
  Resolver resolver;
  if (!AddOperators(resolver)) return 1;
  tflite::MicroInterpreter interpreter(tflite::GetModel(model_data), resolver, arena, kArenaSize);
  if (interpreter.AllocateTensors() != kTfLiteOk) return 1;

  // On a device, pixels come from the camera in place of `sample_image`.
  int16_t* input = interpreter.input(0)->data.i16;
  for (int i = 0; i < IMAGE_SIZE; ++i) input[i] = pixel_to_input[sample_image[i]];
  if (interpreter.Invoke() != kTfLiteOk) return 1;

  const int16_t* counts = interpreter.output(0)->data.i16;
  int best = 0;
  for (int i = 0; i < CLASSES; ++i) {
    MicroPrintf("class %d: %d spikes, expected %d", i, counts[i], sample_counts[i]);
    if (counts[i] != sample_counts[i]) return 2;
    if (counts[i] > counts[best]) best = i;
  }
  MicroPrintf("class %d; every count is as on the desktop", best);
  return 0;
}
