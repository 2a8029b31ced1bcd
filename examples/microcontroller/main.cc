// A spiking network on a microcontroller: image in, spike counts out, by TensorFlow Lite Micro.
// model_data.h and model_data.c come from to_c_array.py.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

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

// Potentials between two steps of a file of the form "step"; C++ has no empty arrays. They wait
// here, because TFLM may lay its outputs over its inputs.
int16_t potentials[MODEL_STATE_SIZE > 0 ? MODEL_STATE_SIZE : 1];

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

// Run the network once. `counts` grow by what it gives: spikes of one step, or of all steps.
bool Run(tflite::MicroInterpreter& interpreter, const uint8_t* image, int* counts) {
  // The image too is set in each step, because TFLM may reuse the memory of its inputs.
  int16_t* input = interpreter.input(0)->data.i16;
  for (int i = 0; i < IMAGE_SIZE; ++i) input[i] = pixel_to_input[image[i]];
  int16_t* kept = potentials;
  for (size_t k = 1; k < interpreter.inputs_size(); ++k) {
    TfLiteTensor* v = interpreter.input(k);
    std::memcpy(v->data.i16, kept, v->bytes);
    kept += v->bytes / sizeof(int16_t);
  }
  if (interpreter.Invoke() != kTfLiteOk) return false;
  kept = potentials;
  for (size_t k = 1; k < interpreter.inputs_size(); ++k) {  // output k belongs to input k
    const TfLiteTensor* v = interpreter.output(k);
    std::memcpy(kept, v->data.i16, v->bytes);
    kept += v->bytes / sizeof(int16_t);
  }
  const int16_t* spikes = interpreter.output(0)->data.i16;
  for (int i = 0; i < CLASSES; ++i) counts[i] += spikes[i];
  return true;
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
  std::memset(potentials, 0, sizeof potentials);  // an image starts from potentials of 0
  int counts[CLASSES] = {};
  for (int run = 0; run < MODEL_RUNS; ++run) {
    if (!Run(interpreter, sample_image, counts)) return Fail("inference");
  }

  int best = 0;
  for (int i = 0; i < CLASSES; ++i) {
    MicroPrintf("class %d: %d spikes, expected %d", i, counts[i], sample_counts[i]);
    if (counts[i] != sample_counts[i]) return 2;
    if (counts[i] > counts[best]) best = i;
  }
  MicroPrintf("class %d; every count is as on the desktop", best);
  return 0;
}
