// A spiking network on a microcontroller: image in, spike counts out, by TensorFlow Lite Micro.
// model_data.h and model_data.c come from to_c_array.py.

#include <cstdint>
#include <cstdio>

#include "model_data.h"
#if __has_include("tensorflow/lite/micro/cortex_m_generic/debug_log_callback.h")
#include "tensorflow/lite/micro/cortex_m_generic/debug_log_callback.h"
#define NEEDS_LOG_CALLBACK
#endif
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

// Memory for activations and for TFLM's own structures, as much as the network was seen to use.
alignas(16) uint8_t arena[MODEL_ARENA_SIZE];

// The operators of the network; with the others left out, the program is small.
using Resolver = tflite::MicroMutableOpResolver<MODEL_OPERATORS>;

bool AddOperators(Resolver& resolver) {
  bool added = true;
#ifdef MODEL_HAS_ADD
  added &= resolver.AddAdd() == kTfLiteOk;
#endif
#ifdef MODEL_HAS_CONV_2D
  added &= resolver.AddConv2D() == kTfLiteOk;
#endif
#ifdef MODEL_HAS_DEPTHWISE_CONV_2D
  added &= resolver.AddDepthwiseConv2D() == kTfLiteOk;
#endif
#ifdef MODEL_HAS_FULLY_CONNECTED
  added &= resolver.AddFullyConnected() == kTfLiteOk;
#endif
#ifdef MODEL_HAS_MAX_POOL_2D
  added &= resolver.AddMaxPool2D() == kTfLiteOk;
#endif
#ifdef MODEL_HAS_MUL
  added &= resolver.AddMul() == kTfLiteOk;
#endif
#ifdef MODEL_HAS_RELU
  added &= resolver.AddRelu() == kTfLiteOk;
#endif
#ifdef MODEL_HAS_SUB
  added &= resolver.AddSub() == kTfLiteOk;
#endif
  return added;
}

#ifdef NEEDS_LOG_CALLBACK
// Where text goes on the board. Without it TFLM says nothing on a bare Cortex-M, failures included.
void Print(const char* text) { std::fputs(text, stdout); }
#endif

int Fail(const char* what) {
  MicroPrintf("failed: %s", what);
  return 1;
}

}  // namespace

int main() {
  tflite::InitializeTarget();
#ifdef NEEDS_LOG_CALLBACK
  RegisterDebugLogCallback(Print);
#endif
  Resolver resolver;
  if (!AddOperators(resolver)) return Fail("operators");
  tflite::MicroInterpreter interpreter(tflite::GetModel(model_data), resolver, arena,
                                       MODEL_ARENA_SIZE);
  if (interpreter.AllocateTensors() != kTfLiteOk) return Fail("memory");

  // On a device, pixels come from the camera in place of `sample_image`.
  int16_t* input = interpreter.input(0)->data.i16;
  for (int i = 0; i < IMAGE_SIZE; ++i) input[i] = pixel_to_input[sample_image[i]];
  if (interpreter.Invoke() != kTfLiteOk) return Fail("inference");

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
