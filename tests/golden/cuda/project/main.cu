/* Example of IzhikevichLTC: neurons with a step of current and Wiener noise; their spikes go
   to standard output as CSV.

     ./main [neurons] [ms] [dt] [seed]

   From 20 % to 80 % of the time,
   I is 22.0 plus 10.0 times the increments of a
   Wiener process, dW = sqrt(dt)*N(0, 1), drawn in the kernel for each neuron and step. Other inputs are 0.
 */
#include "IzhikevichLTC.h"

#include <cuda_runtime.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int error, const char *what)
{
    if (error) {
        fprintf(stderr, "%s: %s\n", what, cudaGetErrorString((cudaError_t)error));
        exit(1);
    }
}

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

/* What is copied between host and device: spikes of a call, and its inputs. */
struct room {
    int64_t steps; /* of one call */
    uint64_t *key, *device_key;
    /* current of each step, then amplitude of its noise */
    float *input, *device_input;
};

static void *take_on_host(size_t count, size_t size)
{
    void *found = calloc(count, size);
    if (found == NULL) {
        fprintf(stderr, "not enough memory\n");
        exit(1);
    }
    return found;
}

static void *take_on_device(size_t count, size_t size)
{
    void *found = NULL;
    check((int)cudaMalloc(&found, count * size), "memory of the device");
    return found;
}

static int compare_keys(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Currents and amplitudes of the steps of a call. */
static void fill_input(const struct room *room, int64_t first_step, int64_t steps,
                       int64_t all_steps, double dt)
{
    const double duration = (double)all_steps * dt, edge = 1e-6 * dt;
    int64_t s;
    for (s = 0; s < steps; s++) {
        const double time = (double)(first_step + s) * dt;
        const int is_on = time >= 0.2 * duration - edge
            && time < 0.8 * duration - edge;
        room->input[s] = is_on ? 22.0f : 0.0f;
        room->input[room->steps + s] = is_on ? (float)(10.0 * sqrt(dt))
            : 0.0f;
    }
    check((int)cudaMemcpy(room->device_input, room->input,
        2 * (size_t)room->steps * sizeof *room->input,
        cudaMemcpyHostToDevice), "input");
}

/* Print the spikes of a call in order of time and neuron. Returns how many. */
static int64_t print_spikes(const struct room *room, const struct IzhikevichLTC_status *status, int64_t first_step,
                            int64_t neurons, double dt)
{
    const int64_t count = (int64_t)status->spikes;
    int64_t spike;
    check((int)cudaMemcpy(room->key, room->device_key, (size_t)count * sizeof *room->key,
        cudaMemcpyDeviceToHost), "spikes");
    qsort(room->key, (size_t)count, sizeof *room->key, compare_keys);
    for (spike = 0; spike < count; spike++)
        printf("%.10g,%lld\n",
               (double)(first_step + (int64_t)(room->key[spike] / (uint64_t)(neurons)) + 1) * dt,
               (long long)(room->key[spike] % (uint64_t)neurons));
    return count;
}

/* Advance all neurons and print their spikes. Returns how many, or -1 when a state is not finite any more. */
static int64_t simulate(const struct IzhikevichLTC_population *population,
                        const struct IzhikevichLTC_device *device, const struct room *room,
                        int64_t steps, uint64_t seed)
{
    int64_t first_step, total = 0;
    printf("time_ms,neuron\n");
    for (first_step = 0; first_step < steps; first_step += room->steps) {
        const int64_t count = steps - first_step < room->steps ? steps - first_step : room->steps;
        struct IzhikevichLTC_run run;
        struct IzhikevichLTC_status status;
        IzhikevichLTC_prepare_run(&run, device, first_step, count);
        run.check_finite = 1;
        fill_input(room, first_step, count, steps, population->dt);
        run.input.I.values = room->device_input;
        run.input.I.step_stride = 1;
        run.input.I.noise = room->device_input + room->steps;
        run.input.I.noise_stride = 1;
        run.input.I.noise_seed = seed;
        run.spike_key = room->device_key;
        run.spike_capacity = room->steps * population->neurons;
        run.key_step = first_step;
        check(IzhikevichLTC_clear_status(device, NULL), "status");
        check(IzhikevichLTC_launch(population, device, &run, NULL), "launch");
        check(IzhikevichLTC_read_status(device, &status, NULL), "steps");
        if (status.bad_neuron < population->neurons) {
            fprintf(stderr, "neuron %lld has a state that is not finite after step %lld; take a smaller dt\n",
                    (long long)status.bad_neuron, (long long)(first_step + count - 1));
            return -1;
        }
        if (status.stopped) {
            fprintf(stderr, "a list of %lld spikes is too small for %lld steps; give it room for %lld\n",
                    (long long)run.spike_capacity, (long long)count,
                    (long long)(count * population->neurons));
            return -1;
        }
        total += print_spikes(room, &status, first_step, population->neurons, population->dt);
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
    struct IzhikevichLTC_device device;
    struct room room;
    int64_t spikes;
    IzhikevichLTC_defaults(&population, neurons, dt);
    check(IzhikevichLTC_allocate(&population, &device), "memory of the device");
    check(IzhikevichLTC_initialize(&population, &device, NULL), "initial values");
    room.steps = neurons > 1048576 ? 1 : 1048576 / neurons;
    room.steps = room.steps < steps ? room.steps : steps;
    room.key = (uint64_t *)take_on_host((size_t)(room.steps * neurons), sizeof *room.key);
    room.device_key = (uint64_t *)take_on_device((size_t)(room.steps * neurons), sizeof(uint64_t));
    room.input = (float *)take_on_host(2 * (size_t)room.steps,
        sizeof *room.input);
    room.device_input = (float *)take_on_device(2 * (size_t)room.steps,
        sizeof *room.device_input);
    spikes = simulate(&population, &device, &room, steps, seed);
    if (spikes >= 0)
        fprintf(stderr, "IzhikevichLTC: %lld neurons, %g ms in %lld steps of %g ms: %lld spikes, mean rate %.3g Hz\n",
                (long long)neurons, duration, (long long)steps, dt, (long long)spikes,
                (double)spikes / (double)neurons / duration * 1000.0);
    check((int)cudaFree(room.device_input), "memory of the device");
    check((int)cudaFree(room.device_key), "memory of the device");
    free(room.input);
    free(room.key);
    check(IzhikevichLTC_free(&population, &device), "memory of the device");
    return close_output() || spikes < 0;
}
