/* The models, a file for those that are alike. */
#ifndef REHEAP_TRACES_GENERATE_MODELS_H
#define REHEAP_TRACES_GENERATE_MODELS_H

#include "traces/generate/model.h"

extern const rh_model rh_model_random;
extern const rh_model rh_model_ramp;
extern const rh_model rh_model_peaks;
extern const rh_model rh_model_plateau;
extern const rh_model rh_model_stack;
extern const rh_model rh_model_queue;
extern const rh_model rh_model_vectors;
extern const rh_model rh_model_relay;
extern const rh_model rh_model_larson;
extern const rh_model rh_model_pinning;
extern const rh_model rh_model_robson;
extern const rh_model rh_model_profile;

#endif
