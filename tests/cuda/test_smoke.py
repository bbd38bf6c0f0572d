import numpy as np, pytest, izhigen as iz
from tests.cuda.cupy_on_host import install
from izhigen.backends.device import load_cupy
def test_smoke(monkeypatch):
    m = install(monkeypatch); load_cupy.cache_clear()
    import cupy
    kw=dict(dt=0.1, seed=3, V=lambda n,r: r.uniform(-70,-50,n))
    res={}
    for b in ('c','cuda'):
        pop = iz.load('IzhikevichRefLTC').with_noise(V=1.0).population(300, backend=b, **kw)
        s0=m.synchronisations
        rec = pop.run(50.0, I=12.0, record=['V','spike','count','isi'])
        print(b, m.launches, m.synchronisations-s0, pop.build_info)
        res[b]=rec.to_host()
        print(type(rec['V']), rec.counts.sum(), pop.step(I=3.0).sum(), pop)
    np.testing.assert_array_equal(res['c'].spikes[1], res['cuda'].spikes[1])
    print(np.abs(res['c']['V']-res['cuda']['V']).max())
    pop = iz.load('IzhikevichRefLTC').with_noise(V=1.0).population(300, backend='cuda', sharding=[0,1], **kw)
    rec = pop.run(50.0, I=12.0, record=['V','spike','count','isi'])
    np.testing.assert_array_equal(res['c'].spikes[1], rec.spikes[1])
    np.testing.assert_array_equal(res['cuda']['V'], rec['V'])
    for k in (1, 7):
        pop = iz.load('IzhikevichRefLTC').with_noise(V=1.0).population(300, backend='cuda', steps_per_launch=k, **kw)
        rec = pop.run(50.0, I=12.0, record=['V','spike','count','isi']).to_host()
        np.testing.assert_array_equal(res['cuda']['V'], rec['V'])
    with cupy.cuda.Stream(non_blocking=True):
        pop = iz.load('IzhikevichRefLTC').with_noise(V=1.0).population(300, backend='cuda', steps_per_launch=1, **kw)
        l=m.graph_launches
        pop.run(50.0, I=12.0, record=[])
        print('graphs', m.graph_launches-l)
        np.testing.assert_array_equal(res['cuda']['V'][-1], pop.V.get())
