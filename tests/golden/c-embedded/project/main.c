/* Example of IzhikevichLTC: neurons with a step of current and Wiener noise; their spikes go
   to standard output as CSV.
   From BEGIN to END, I is 22.0 plus 10.0
   times the increments of a Wiener process, dW = sqrt(dt)*N(0, 1). Other inputs are 0.
   For other values, compile with -DDURATION_MS=... and so on. */
#include "IzhikevichLTC.h"
#include "output.h"

#ifndef DURATION_MS
#define DURATION_MS 500
#endif
#ifndef SEED
#define SEED 1u
#endif
/* 0.1 ms, and what the nearest float lacks of it */
#define STEPS_A_MS 10
#define DT 0.1f
#define DT_REST -1.4901161e-09f
#define STEPS ((int32_t)(DURATION_MS) * STEPS_A_MS)
#define SQRT_DT 0.31622776f
#define BEGIN (STEPS * 2 / 10) /* a step */
#define END (STEPS * 8 / 10)

static int is_finite(const struct IzhikevichLTC_population *population)
{
    int32_t neuron;
    float sum = 0.0f;
    for (neuron = 0; neuron < IzhikevichLTC_NEURONS; neuron++) {
        sum += population->state.V[neuron] - population->state.V[neuron]; /* 0, or NaN */
        sum += population->state.u[neuron] - population->state.u[neuron]; /* 0, or NaN */
    }
    return sum == 0.0f;
}

int main(void)
{
    static struct IzhikevichLTC_population population;
    static struct IzhikevichLTC_input input;
    int32_t step, neuron;
    IzhikevichLTC_defaults(&population, DT);
    population.dt_rest = DT_REST;
    IzhikevichLTC_initialize(&population);
    write_text("time_ms,neuron\n");
    for (step = 0; step < STEPS; step++) {
        const int is_on = step >= BEGIN && step < END;
        for (neuron = 0; neuron < IzhikevichLTC_NEURONS; neuron++)
            input.I[neuron] = is_on
                ? 22.0f
                    + 10.0f * SQRT_DT * IzhikevichLTC_normal(SEED, neuron, step)
                : 0.0f;
        IzhikevichLTC_step(&population, &input);
        for (neuron = 0; neuron < IzhikevichLTC_NEURONS; neuron++)
            if (population.spike[neuron]) {
                write_thousandths((int64_t)(step + 1) * 1000 / STEPS_A_MS);
                write_text(",");
                write_integer(neuron);
                write_text("\n");
            }
    }
    if (!is_finite(&population)) {
        write_message("a state is not finite; take a smaller dt\n");
        return 1;
    }
    return 0;
}
