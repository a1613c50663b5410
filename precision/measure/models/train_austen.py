"""Trains the small language model on Jane Austen's novels; stores weights, tokenizer and the held-out text.

`apt-get download r-cran-janeaustenr`, then `python -m precision.measure.models.train_austen THE_FILE.deb`.
The text, the split, the seed and the thread count are fixed. Nothing is downloaded.
"""

import math
import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from precision.measure.models.austen import END, HELD_OUT, STORED, WINDOW, held_out_loss, tokens_of
from precision.measure.models.austen_package import chapters

SEED = 0
HELD_OUT_EVERY = 12
"""Every twelfth chapter is not trained on."""
VOCABULARY = 1024
BATCH = 8
LEARNING_RATE = 3e-3
"""The largest."""
STEPS = 1880
WARM_UP = 100
COSINE = 2400
"""Steps after which the learning rate would be zero by a cosine; training ends before, with a fall to zero."""
FALL = 500
"""Steps in which that fall would come from the largest learning rate."""
THREADS = 1


def split(package: Path) -> tuple[list[str], list[str]]:
    """Paragraphs to train on, and those of the chapters held out."""
    found = chapters(package)
    train = [text for at, chapter in enumerate(found, 1) for text in chapter if at % HELD_OUT_EVERY]
    held_out = [text for chapter in found[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY] for text in chapter]
    return train, held_out


def train_tokenizer(paragraphs: list[str]) -> PreTrainedTokenizerFast:
    """Byte-level byte-pair encoding with the whole byte alphabet, so that no character is lost.

    The end token stands before each text: it says that a paragraph begins.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(paragraphs, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END} $A", special_tokens=[(END, tokenizer.token_to_id(END))]
    )
    tokenizer_class: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerFast = tokenizer_class(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, pad_token=END, model_max_length=WINDOW
    )
    return made


def untrained() -> LlamaForCausalLM:
    """Llama's layout: RMSNorm, rotary positions, SwiGLU, the head tied to the embedding. 0.98 million parameters."""
    torch.manual_seed(SEED)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=WINDOW,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=None,
            use_cache=False,
        )
    )


def learning_rate(step: int) -> float:
    """After so many steps, as a share of the largest: warm-up, a cosine, at last a straight fall to zero."""
    return min((step + 1) / WARM_UP, 0.5 + 0.5 * math.cos(math.pi * step / COSINE), (STEPS - step) / FALL)


def train(model: LlamaForCausalLM, tokens: Tensor) -> None:
    """Trains on windows that begin anywhere in the tokens `(N,)`."""
    decayed = [weight for weight in model.parameters() if weight.ndim > 1]
    others = [weight for weight in model.parameters() if weight.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=LEARNING_RATE,
        betas=(0.9, 0.95),
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, learning_rate)
    generator = torch.Generator().manual_seed(SEED)
    for step in range(1, STEPS + 1):
        starts = torch.randint(len(tokens) - WINDOW, (BATCH,), generator=generator)
        windows = torch.stack([tokens[start : start + WINDOW + 1] for start in starts.tolist()])
        logits = model(input_ids=windows[:, :-1]).logits
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % WARM_UP == 0:
            sys.stdout.write(f"step {step} of {STEPS}, training loss {loss.item():.3f}\n")
            sys.stdout.flush()


def main() -> None:
    """Train, test, store."""
    torch.set_num_threads(THREADS)
    paragraphs, held_out = split(Path(sys.argv[1]))
    tokenizer = train_tokenizer(paragraphs)
    model = untrained().train()
    train(model, tokens_of(paragraphs, tokenizer))
    model.eval().save_pretrained(STORED)
    tokenizer.save_pretrained(STORED)
    HELD_OUT.write_text("\n".join(held_out) + "\n", "utf-8")
    loss = held_out_loss(model, tokenizer)
    sys.stdout.write(f"held-out loss {loss:.3f} nats a token, perplexity {math.exp(loss):.1f}\n")


if __name__ == "__main__":
    main()
