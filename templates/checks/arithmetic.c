/* Arithmetic that a compiler may get wrong on purpose; izhigen/backends/arithmetic_probe.py knows the right results. */
#include <stddef.h>

struct padded {
    char first;
    double second;
};

double sum_less_first(double a, double b) { return (a + b) - a; }
float sum_less_first_single(float a, float b) { return (a + b) - a; }
int differs_from_itself(double x) { return x != x; }
double plus_zero(double x) { return x + 0.0; }
double third(double x) { return x / 3.0; }
float third_single(float x) { return x / 3.0f; }
double tenth(double x) { return x * 0.1; }
double half(double x) { return x * 0.5; }
float half_single(float x) { return x * 0.5f; }
float product_over_factor(float x, float y) { return x * y / y; }
size_t place_of_second(void) { return offsetof(struct padded, second); }

void reciprocals(float *to, const float *from, int count) {
    for (int k = 0; k < count; ++k) to[k] = 1.0f / from[k];
}
