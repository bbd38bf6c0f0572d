/* Example of IzhikevichLTC: neurons with a step of current and Wiener noise; their spikes go
   to standard output as CSV.

     ./main [neurons] [ms] [dt] [seed]

   From 20 % to 80 % of the time,
   I is 22.0 plus 10.0 times the increments of a
   Wiener process, dW = sqrt(dt)*N(0, 1), drawn in the kernel for each neuron and step. Other inputs are 0.
 */
#include "IzhikevichLTC.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: main [neurons] [ms] [step in ms] [seed]\n";

static void check_arguments(int count, char **arguments)
{
    if (count > 1 && (strcmp(arguments[1], "-h") == 0 || strcmp(arguments[1], "--help") == 0)) {
        fputs(usage, stdout);
        exit(0);
    }
    if (count > 5) {
        fprintf(stderr, "too many arguments\n%s", usage);
        exit(2);
    }
}

static double read_number(const char *text, const char *what, double least, double most)
{
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= least && value <= most)) {
        fprintf(stderr, "%s = %s: give a number from %g to %g\n%s", what, text, least, most, usage);
        exit(2);
    }
    return value;
}

static int64_t read_whole(const char *text, const char *what, double least, double most)
{
    const double value = read_number(text, what, least, most);
    if (value != floor(value)) {
        fprintf(stderr, "%s = %s: give a whole number\n%s", what, text, usage);
        exit(2);
    }
    return (int64_t)value;
}

/* Steps of dt in a time, which must hold a whole number of them. */
static int64_t count_whole_steps(double time, double dt)
{
    const double steps = floor(time / dt + 0.5);
    if (!(steps >= 1.0 && steps <= 1e15) || fabs(time / dt - steps) > 1e-6) {
        fprintf(stderr, "%g ms is not a whole number of steps of %g ms\n%s", time, dt, usage);
        exit(2);
    }
    return (int64_t)steps;
}

/* Write out what is left for standard output. Returns 1 and says so where something could not be written. */
static int close_output(void)
{
    const int failed = ferror(stdout);
    if (fclose(stdout) == 0 && !failed)
        return 0;
    perror("standard output cannot be written");
    return 1;
}

static void *allocate(int64_t neurons, size_t size)
{
    void *room = calloc((size_t)neurons, size);
    if (room == NULL) {
        fprintf(stderr, "not enough memory for %lld neurons\n", (long long)neurons);
        exit(1);
    }
    return room;
}

/* Advance all neurons step by step and print their spikes. Returns how many, or -1 when a
   state is not finite any more. */
static int64_t simulate(const struct IzhikevichLTC_population *population, struct IzhikevichLTC_run *run,
                        int64_t steps)
{
    int64_t step, total = 0;
    const double duration = (double)steps * population->dt, edge = 1e-6 * population->dt;
    float current, amplitude;
    run->input.I.values = &current;
    run->input.I.noise = &amplitude;
    printf("time_ms,neuron\n");
    for (step = 0; step < steps; step++) {
        int64_t spike;
        const double time = (double)step * population->dt;
        const int is_on = time >= 0.2 * duration - edge
            && time < 0.8 * duration - edge;
        current = is_on ? 22.0f : 0.0f;
        amplitude = is_on ? (float)(10.0 * sqrt(population->dt)) : 0.0f;
        run->first_step = step;
        run->spike_count = 0;
        run->bad_neuron = population->neurons;
        if (IzhikevichLTC_advance(population, run, 0, population->neurons) != population->neurons) {
            fprintf(stderr, "a list of %lld spikes is too small for a step; give it room for %lld\n",
                    (long long)run->spike_capacity, (long long)population->neurons);
            return -1;
        }
        if (run->bad_neuron < population->neurons) {
            fprintf(stderr, "neuron %lld has a state that is not finite after step %lld; take a smaller dt\n",
                    (long long)run->bad_neuron, (long long)step);
            return -1;
        }
        for (spike = 0; spike < run->spike_count; spike++)
            printf("%.10g,%lld\n", (double)(step + 1) * population->dt, (long long)run->spike_neuron[spike]);
        total += run->spike_count;
    }
    return total;
}

int main(int count, char **arguments)
{
    check_arguments(count, arguments);
    const int64_t neurons = count > 1 ? read_whole(arguments[1], "neurons", 1, 1e9) : 10;
    const double duration = count > 2 ? read_number(arguments[2], "ms", 1e-9, 1e12) : 500.0;
    const double dt = count > 3 ? read_number(arguments[3], "dt", 1e-9, 1e6) : 0.1;
    const uint64_t seed = count > 4 ? (uint64_t)read_whole(arguments[4], "seed", 0, 9007199254740992.0)
        : 1;
    const int64_t steps = count_whole_steps(duration, dt);
    struct IzhikevichLTC_population population;
    struct IzhikevichLTC_run run;
    int64_t spikes;
    IzhikevichLTC_defaults(&population, neurons, dt);
    IzhikevichLTC_prepare_run(&run, 0, 1);
    population.state.V = (float *)allocate(neurons, sizeof(float));
    population.state.u = (float *)allocate(neurons, sizeof(float));
    run.spike_step = (int64_t *)allocate(neurons, sizeof(int64_t));
    run.spike_neuron = (int64_t *)allocate(neurons, sizeof(int64_t));
    run.spike_capacity = neurons;
    run.input.I.noise_seed = seed;
    IzhikevichLTC_initialize(&population);
    spikes = simulate(&population, &run, steps);
    if (spikes >= 0)
        fprintf(stderr, "IzhikevichLTC: %lld neurons, %g ms in %lld steps of %g ms: %lld spikes, mean rate %.3g Hz\n",
                (long long)neurons, duration, (long long)steps, dt, (long long)spikes,
                (double)spikes / (double)neurons / duration * 1000.0);
    free(run.spike_neuron);
    free(run.spike_step);
    free(population.state.u);
    free(population.state.V);
    return close_output() || spikes < 0;
}
