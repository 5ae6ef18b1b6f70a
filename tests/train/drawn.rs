use super::ranks::on_ranks;
use crate::common::{ink, preset};
use stcn::data::{Batch, Normalisation, Window};
use stcn::internals::drawn::Drawing;
use stcn::internals::ranks::Crew;
use stcn::nn::Init;
use stcn::{Tensor, models};

#[test]
fn what_is_drawn_has_the_same_numbers_on_any_number_of_ranks() {
    let (set, config) = (ink(9), preset("ink-tiny", None, None).unwrap());
    let model = models::build(&config.model, Init::new(1)).unwrap();
    let drawing = Drawing { seed: 3, steps: 5, temperature: 0.9 };
    let windows = [0, 0, 0, 0, 0].map(|i| Window::whole(&set, i));
    let mut primed = Batch::new(&set, &Normalisation::identity(3), &windows, None).unwrap();
    primed.samples = (0..5).collect();
    let nothing =
        Batch { x: Tensor::zeros(&[5, 0, 3]), lengths: vec![0; 5], samples: (0..5).collect() };
    for given in [primed, nothing] {
        let alone = drawing.draw(&*model, &given, |_| ());
        for count in [1, 2, 3, 8] {
            let drawn = on_ranks(count, |ranks| {
                let config = config.portable_toml();
                drawing.draw_on(&Crew::new(ranks.of(&config), &*model), &given)
            });
            assert_eq!(drawn.shape(), alone.shape());
            assert!(drawn.data() == alone.data(), "{count} ranks");
        }
    }
}
