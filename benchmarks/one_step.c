/* Follows the generated source of the model Izhikevich in one file: a loop of calls that make one step each. */
void one_step_calls({{real}} *V, {{real}} *u, const {{real}} *I, uint8_t *spike, int64_t *moments, double *squares, int64_t neurons, int64_t first_step, int64_t steps)
{
    struct Izhikevich_population population;
    struct Izhikevich_run run;
    int64_t s;
    memset(&population, 0, sizeof population);
    memset(&run, 0, sizeof run);
    population.neurons = neurons;
    population.dt = 0.1;
    population.state.V = V;
    population.state.u = u;
    population.parameter.p1 = 0.04;
    population.parameter.p2 = 5.0;
    population.parameter.p3 = 140.0;
    population.parameter.a = 0.02;
    population.parameter.b = 0.2;
    population.parameter.c = -65.0;
    population.parameter.d = 8.0;
    population.parameter.V_th = 30.0;
    run.steps = 1;
    run.input.I.values = I;
    run.input.I.neuron_stride = 1;
    run.record_every = 1;
    run.record_phase = -1;
    run.spike_flag = spike;
    run.bad_neuron = -1;
    if (moments != NULL) {
        run.count = moments;
        run.first_spike = moments + neurons;
        run.last_spike = moments + 2 * neurons;
        run.interval_squares = squares;
    }
    for (s = 0; s < steps; s++) {
        run.first_step = first_step + s;
        Izhikevich_advance(&population, &run, 0, neurons);
    }
}
