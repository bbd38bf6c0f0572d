/* The reference: Izhikevich's neuron by exponential Euler, one neuron after the other, with the C library's expm1f. */
#include <math.h>
#include <stdint.h>

static float phi1f(float z)
{
    return fabsf(z) < 1e-7f ? 1.0f : expm1f(z) / z;
}

int64_t scalar_steps(float *V, float *u, const float *I, int64_t n, int64_t steps, float dt)
{
    const float a = 0.02f, b = 0.2f, c = -65.0f, d = 8.0f, p1 = 0.04f, p2 = 5.0f, p3 = 140.0f, V_th = 30.0f;
    const float relax = dt * phi1f(-a * dt) * a; /* a constant, so computed once here too */
    int64_t spikes = 0;
    for (int64_t s = 0; s < steps; s++)
        for (int64_t i = 0; i < n; i++) {
            const float v = V[i], w = u[i];
            const float f = p1 * v * v + p2 * v + p3 - w + I[i];
            float v_new = v + dt * phi1f(dt * (2.0f * p1 * v + p2)) * f;
            float w_new = w + relax * (b * v - w);
            if (v_new >= V_th) {
                v_new = c;
                w_new += d;
                spikes++;
            }
            V[i] = v_new;
            u[i] = w_new;
        }
    return spikes;
}
